"""Wall time, CPU time and peak memory of a command, including its child processes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

_INTERVAL = 0.1
"""Seconds between two samples of the memory."""
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Cost:
    """Cost of a command, including its child processes."""

    wall: float
    """Seconds."""
    cpu: float
    """CPU seconds, user and system."""
    peak: int
    """Peak of the summed resident memory (RSS) of all processes, in bytes; shared pages count for each process."""


def environment() -> dict[str, str]:
    """Environment variables of a subprocess with the project's code and the benchmarks' modules on its path."""
    inherited = filter(None, [os.environ.get("PYTHONPATH")])
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(_ROOT / "src"), str(_ROOT / "benchmarks"), *inherited])}


def measured(command: list[str], folder: Path, cores: int | None = None) -> Cost:
    """Runs this Python with a command in a folder, on the first `cores` available cores.

    Raises:
        SystemExit: the command failed.
    """
    allowed = sorted(os.sched_getaffinity(0))[:cores]
    with tempfile.TemporaryFile("w+") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env=environment(),
            stdout=output,
            stderr=output,
            preexec_fn=lambda: os.sched_setaffinity(0, allowed),
        )
        peak = 0
        while True:
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            if ended:
                break
            peak = max(peak, _resident(process.pid))
            time.sleep(_INTERVAL)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{output.read()}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, peak)


def _resident(root: int) -> int:
    """Summed resident memory (RSS) of a process and its running descendants."""
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
