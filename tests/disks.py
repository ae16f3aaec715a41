"""A real disk of a given size, which fills up: a tmpfs of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Disk:
    """A mounted file system, empty at first."""

    folder: Path

    def remount(self, options: str) -> None:
        """Changes its size (`size=64k`), or makes it read-only (`ro`)."""
        subprocess.run(["mount", "-o", f"remount,{options}", self.folder], check=True)

    def names(self) -> list[str]:
        """The files and folders at its top, hidden ones too."""
        return sorted(path.name for path in self.folder.iterdir())


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[Disk]:
    """Mounts a disk; skips the test where the system gives no permission to."""
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True)
    if done.returncode:
        pytest.skip(f"no permission to mount a small disk: {done.stderr.decode().strip()}")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
