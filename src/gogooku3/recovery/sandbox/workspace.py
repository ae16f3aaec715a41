"""Temporary folders that are always removed, and clones with a private DVC cache."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dvc.repo import Repo

_IN_USE = "in-use"


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """Context manager for a temporary folder; leftovers of killed processes with the same prefix are removed first.

    A file lock marks a folder as in use: the system releases it when the process ends, even after a kill.
    """
    for other in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        if _abandoned(other):
            shutil.rmtree(other, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    with (folder / f".{_IN_USE}").open("w") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        Path(mark.name).rename(folder / _IN_USE)  # it is locked before it has this name
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def isolate(root: Path) -> None:
    """Gives a clone its own DVC cache and site cache, overriding shared ones of the user or the machine."""
    with Repo(str(root)) as repo, repo.config.edit("local") as local:
        local.setdefault("cache", {})["dir"] = str(root / ".dvc" / "cache")
        local.setdefault("core", {})["site_cache_dir"] = str(root / ".dvc" / "tmp" / "site")


def _abandoned(folder: Path) -> bool:
    with suppress(OSError), (folder / _IN_USE).open() as mark:
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
