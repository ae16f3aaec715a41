"""What the processes of a comparison hand to each other: bars in, values and seconds out, as plain NumPy files.

Seconds are those of a processor, from memory to memory: reading, writing and laying out are not counted.
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
    """Bars adjusted for splits on the whole grid of sessions and stocks, NaN where there is none."""

    sessions: npt.NDArray[np.datetime64]
    codes: npt.NDArray[np.str_]
    fields_FTS: npt.NDArray[np.float32]
    """In the order of `FIELDS`, in the one width that qlib's store knows."""
    whole_DTS: npt.NDArray[np.bool_]
    """True where the whole lookback of a definition has bars. Elsewhere each engine has its own rule for windows with
    holes, and values are not compared."""

    @classmethod
    def read(cls, folder: Path) -> Panel:
        return cls(**np.load(folder / "panel.npz"))

    def write(self, folder: Path) -> None:
        folder.mkdir()
        np.savez(folder / "panel.npz", **vars(self))


@dataclass(frozen=True)
class Result:
    """What one engine made of a panel."""

    values_DTS: npt.NDArray[np.floating]
    """In the order of `DEFINITIONS`, not normalised."""
    alone: list[float]
    """Seconds of each definition by itself."""
    together: float
    """Seconds of all definitions in one go: what they share may be computed once."""
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
