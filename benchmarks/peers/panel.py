"""Data exchange between the benchmark's processes: bars as input, values and seconds as output, as NumPy files.

Seconds are CPU seconds from memory to memory: reading, writing and reshaping are not counted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

FIELDS = ("open", "high", "low", "close", "volume", "turnover")


@dataclass(frozen=True)
class Panel:
    """Split-adjusted bars on the full grid of sessions and stocks; NaN if there is no bar."""

    sessions: npt.NDArray[np.datetime64]
    codes: npt.NDArray[np.str_]
    fields_FTS: npt.NDArray[np.float32]
    """In the order of `FIELDS`; float32 is the only dtype of qlib's store."""
    whole_DTS: npt.NDArray[np.bool_]
    """True if all sessions of a definition's lookback have bars. Other values are not compared: each engine treats
    windows with missing bars differently."""

    @classmethod
    def read(cls, folder: Path) -> Panel:
        return cls(**np.load(folder / "panel.npz"))

    def write(self, folder: Path) -> None:
        folder.mkdir()
        np.savez(folder / "panel.npz", **vars(self))


@dataclass(frozen=True)
class Result:
    """Values and timings of one engine."""

    values_DTS: npt.NDArray[np.floating]
    """In the order of `DEFINITIONS`, not normalised."""
    alone: list[float]
    """Seconds of each definition computed separately."""
    together: float
    """Seconds of all definitions computed together, with shared intermediate results."""
    versions: dict[str, str]

    @classmethod
    def read(cls, folder: Path) -> Result:
        content = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        return cls(np.load(folder / "values.npy", mmap_mode="r"), **content)

    def write(self, folder: Path) -> None:
        folder.mkdir()
        np.save(folder / "values.npy", self.values_DTS)
        content = {"alone": self.alone, "together": self.together, "versions": self.versions}
        (folder / "result.json").write_text(json.dumps(content), encoding="utf-8")
