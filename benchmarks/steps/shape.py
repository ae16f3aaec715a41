"""What the processes of the comparison hand to each other: the shape of a step in, seconds and bytes out."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

HORIZONS = [1, 5, 10, 20]
NEIGHBOURS = 10


@dataclass(frozen=True)
class Shape:
    """A batch, and the network that it is for."""

    features: int
    window: int
    """Sessions that one score looks back on."""
    sessions: int
    """Consecutive sessions that are scored."""
    stocks: int
    hidden: int
    heads: int
    piece: int
    """Windows that a network takes at once where a batch does not fit: the gradients of the pieces add up."""
    threads: int
    product: int
    """Rows and columns of the square matrices whose product is the ceiling."""

    @property
    def windows(self) -> int:
        """Samples of a batch: every stock in every session."""
        return self.sessions * self.stocks

    @property
    def rows(self) -> int:
        """Stocks in all sessions that are read, those before the scored ones too."""
        return (self.sessions + self.window - 1) * self.stocks

    @classmethod
    def parse(cls, text: str) -> Shape:
        return cls(**json.loads(text))

    def __str__(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Result:
    """What one process found."""

    windows: int
    """That were taken at once."""
    seconds: dict[str, list[float]]
    """Of each part, as often as it was run: `piece` is forward and backward, `update` the optimizer."""
    growth: int
    """Of the peak of resident memory in the first piece, in bytes."""
    versions: dict[str, str]

    @classmethod
    def read(cls, path: Path) -> Result:
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")
