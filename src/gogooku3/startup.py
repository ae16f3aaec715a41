"""What must hold before a compiled library is loaded: on an older processor the first of them ends in SIGILL."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

from gogooku3.errors import MachineError

_X86_64_V3 = frozenset({"abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "xsave"})
"""Linux's names for what x86-64-v3 adds to x86-64-v2; `abm` holds LZCNT."""


def require_or_exit() -> None:
    """Ends this process with one message where `require` raises: whatever is imported next could end it without one."""
    try:
        require()
    except MachineError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)


def require(cpuinfo: Path = Path("/proc/cpuinfo")) -> None:
    """Raises `MachineError` where this processor or the way in which Python was started cannot do the work.

    Args:
        cpuinfo: what the system says of its processors. Where it is absent, nothing is known and nothing is refused.
    """
    if sys.flags.optimize:
        raise MachineError(
            f"Python runs with optimization level {sys.flags.optimize}: the libraries lose their assertions, and from"
            " level 2 on docstrings that some of them read",
            hint="unset PYTHONOPTIMIZE, and leave `-O` and `-OO` out",
        )
    lacking = _lacking(cpuinfo) if platform.machine() in ("x86_64", "AMD64") else set()
    if lacking:
        raise MachineError(
            f"this processor lacks {', '.join(sorted(lacking))}: the libraries are compiled for x86-64-v3 and newer",
            hint="run it on a processor with AVX2 and FMA (Intel from Haswell on, AMD from Excavator on); in a virtual"
            " machine, pass the host's processor through",
        )


def _lacking(cpuinfo: Path) -> set[str]:
    """Features of x86-64-v3 that the first processor does not have."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), None)
    return set() if flags is None else set(_X86_64_V3.difference(flags))
