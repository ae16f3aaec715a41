"""Helpers of the benchmark documents: paragraphs, tables, machine and commit."""

from __future__ import annotations

import os
import platform
import subprocess
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

import psutil

GIB = 1 << 30
_ROOT = Path(__file__).resolve().parents[2]


def paragraph(text: str) -> str:
    return textwrap.fill(text, 120, break_on_hyphens=False)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def aims(rows: Iterable[tuple[str, str, str, bool]]) -> str:
    """Table of targets: quantity, target, measured value, whether it is met."""
    body = [(quantity, target, value, "yes" if met else "**no**") for quantity, target, value, met in rows]
    return table(("", "target", "measured", "met"), body)


def machine() -> str:
    """Number of cores, processor and memory."""
    memory = psutil.virtual_memory().total / GIB
    return f"{len(os.sched_getaffinity(0))} cores ({processor()}) with {memory:.0f} GiB of memory"


def commit() -> str:
    """The measured commit; with a plus if files differ from it."""
    command = ["git", "describe", "--always", "--exclude=*", "--dirty=+"]
    try:
        return subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (FileNotFoundError, subprocess.CalledProcessError):
        return "unknown"  # not a Git repository


def processor(entry: str = "model name") -> str:
    """An entry of `/proc/cpuinfo` for the first processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    values = (line.split(":", 1)[1].strip() for line in lines if line.startswith(entry))
    return next(values, platform.machine())
