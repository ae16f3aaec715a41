"""What every document of a benchmark needs: paragraphs, tables, and what was measured where."""

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
    """What was aimed at: what, the aim, what was found, whether that meets it."""
    body = [(what, aim, found, "yes" if met else "**no**") for what, aim, found, met in rows]
    return table(("", "aim", "found", "met"), body)


def machine() -> str:
    """Processors and memory."""
    memory = psutil.virtual_memory().total / GIB
    return f"{len(os.sched_getaffinity(0))} cores ({processor()}) with {memory:.0f} GiB of memory"


def commit() -> str:
    """The commit that is measured; with a plus where files differ from it."""
    command = ["git", "describe", "--always", "--exclude=*", "--dirty=+"]
    try:
        return subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (FileNotFoundError, subprocess.CalledProcessError):
        return "unknown"  # a copy of the files without their repository


def processor(entry: str = "model name") -> str:
    """What the system says of its first processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    values = (line.split(":", 1)[1].strip() for line in lines if line.startswith(entry))
    return next(values, platform.machine())
