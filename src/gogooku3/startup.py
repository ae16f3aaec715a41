"""Checks system, processor, Python's flags and disk before a compiled library is loaded, which could end in SIGILL."""

from __future__ import annotations

import os
import platform
import sys
from contextlib import suppress
from pathlib import Path

from gogooku3.errors import MachineError

_X86_64_V3 = frozenset({"abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "xsave"})
"""Linux's names of the CPU features that x86-64-v3 adds to x86-64-v2; `abm` includes LZCNT."""


_BYTECODE = 1 << 24
"""Free bytes that the bytecode of a command has room in."""


def require_or_exit() -> None:
    """Exits with a message if `require` raises; the next import could crash without one.

    On a nearly full disk, Python writes no bytecode: before 3.12.8 and 3.13.1 it publishes the part of a `.pyc` file
    that fits, and no later command can read it (cpython issue 126606).
    """
    try:
        require()
    except MachineError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
    with suppress(AttributeError, OSError):  # Windows has no such call, and in an archive there is no such folder
        disk = os.statvfs(Path(__file__).parent)
        if disk.f_bavail * disk.f_frsize < _BYTECODE:
            sys.dont_write_bytecode = True


def require(cpuinfo: Path = Path("/proc/cpuinfo"), system: str = sys.platform) -> None:
    """Raises `MachineError` if this system, this processor or Python's command-line flags are not supported.

    Args:
        system: name of the operating system, as `sys.platform`.
        cpuinfo: the system's list of processors. If it does not exist, the processor is not checked.
    """
    if system not in ("linux", "darwin"):
        raise MachineError(
            f"gogooku3 does not run on this system ({system}): the pipeline uses system calls of Linux and macOS",
            hint="on Windows, run it in WSL 2 (`wsl --install`), with the clone on WSL's own disk, not under `/mnt/c`",
        )
    if sys.flags.optimize:
        raise MachineError(
            f"Python runs with optimization level {sys.flags.optimize}: the libraries lose their assertions, and from"
            " level 2 on docstrings that some of them read",
            hint="unset PYTHONOPTIMIZE, and do not use `-O` and `-OO`",
        )
    missing = _missing_features(cpuinfo) if platform.machine() in ("x86_64", "AMD64") else set()
    if missing:
        raise MachineError(
            f"this processor lacks {', '.join(sorted(missing))}: the libraries are compiled for x86-64-v3 and newer",
            hint="use a processor with AVX2 and FMA (Intel from Haswell on, AMD from Excavator on); in a virtual"
            " machine, pass the host's processor through",
        )


def _missing_features(cpuinfo: Path) -> set[str]:
    """Features of x86-64-v3 that the first processor lacks."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), None)
    return set() if flags is None else set(_X86_64_V3.difference(flags))
