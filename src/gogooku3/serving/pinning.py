"""Pins the numerics of a package in a program of one's own; imports neither NumPy nor torch."""

from __future__ import annotations

import sys
from pathlib import Path

from gogooku3.errors import MachineError
from gogooku3.package.environment import read_numerics
from gogooku3.runtime import numerics

_LIBRARIES = ("numpy", "torch")


def pin(package: str | Path) -> None:
    """Sets the environment variables with which NumPy and torch compute a package's bits, in this process.

    Call it before they are imported: they read the variables once.

    Raises:
        DataError: `package` is no package folder.
        MachineError: NumPy or torch is imported already; nothing was changed.
    """
    loaded = [name for name in _LIBRARIES if name in sys.modules]
    if loaded:
        raise MachineError(
            f"{' and '.join(loaded)} {'is' if len(loaded) == 1 else 'are'} imported already, and would not read the"
            " settings",
            hint="call `gogooku3.pin` in the first lines of the program",
        )
    numerics.pin(read_numerics(Path(package)))
