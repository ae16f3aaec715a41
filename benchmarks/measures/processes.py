"""A command as a tree of processes: how long it takes, how much of the processors, and how much memory at once."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

_EVERY = 0.1
"""Seconds between two looks at the memory."""
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Cost:
    """What a command took, its children's share included."""

    wall: float
    """Seconds."""
    cpu: float
    """Seconds of a processor, the kernel's work for it included."""
    peak: int
    """Largest sum of the resident memory of all processes at one look, in bytes; shared pages count for each."""


def environment() -> dict[str, str]:
    """Of a process of ours: with the project's code and the benchmarks' helpers."""
    return os.environ | {"PYTHONPATH": f"{_ROOT / 'src'}{os.pathsep}{_ROOT / 'benchmarks'}"}


def measured(command: list[str], folder: Path, cores: int | None = None) -> Cost:
    """Runs this Python with a command in a folder, on the first `cores` of the cores that there are.

    Raises:
        SystemExit: it failed.
    """
    allowed = sorted(os.sched_getaffinity(0))[:cores]
    with tempfile.TemporaryFile("w+") as said:
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env=environment(),
            stdout=said,
            stderr=said,
            preexec_fn=lambda: os.sched_setaffinity(0, allowed),
        )
        peak = 0
        while True:
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            if ended:
                break
            peak = max(peak, _resident(process.pid))
            time.sleep(_EVERY)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{said.read()}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, peak)


def _resident(root: int) -> int:
    """Resident memory of a process and its descendants, of those that still live."""
    total = 0
    try:
        processes = [psutil.Process(root), *psutil.Process(root).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for process in processes:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total
