"""Data exchange between the benchmark's processes: the shape of a step as input, seconds and bytes as output."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

HORIZONS = [1, 5, 10, 20]
NEIGHBOURS = 10


@dataclass(frozen=True)
class Shape:
    """Sizes of a batch and its network."""

    features: int
    window: int
    """Sessions of a window (lookback of one score)."""
    sessions: int
    """Consecutive scored sessions."""
    stocks: int
    hidden: int
    heads: int
    piece: int
    """Windows per micro-batch if a batch does not fit in memory (gradient accumulation)."""
    threads: int
    product: int
    """Rows and columns of the matrices of the peak FLOP/s measurement."""

    @property
    def windows(self) -> int:
        """Samples of a batch: every stock in every session."""
        return self.sessions * self.stocks

    @property
    def rows(self) -> int:
        """Stock-sessions that are read, including those before the scored ones."""
        return (self.sessions + self.window - 1) * self.stocks

    @classmethod
    def parse(cls, text: str) -> Shape:
        return cls(**json.loads(text))

    def __str__(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Result:
    """Measurements of one process."""

    windows: int
    """Windows per micro-batch."""
    seconds: dict[str, list[float]]
    """Times of each part by run: `piece` is forward and backward of a micro-batch, `update` the optimizer."""
    growth: int
    """Growth of peak resident memory (RSS) in the first micro-batch, in bytes."""
    versions: dict[str, str]

    @classmethod
    def read(cls, path: Path) -> Result:
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")
