"""Temporary folders that are always removed, and clones with a private DVC cache."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dvc.config import Config
from dvc.config_schema import RelPath

from gogooku3.recovery.releases.clone import SITE_CACHE, make_site_cache

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


def isolate(root: Path, target: Path | None = None) -> None:
    """Gives a clone its own DVC cache and site cache, overriding shared ones of the user or the machine.

    Outputs are no links into the cache, so that a clone can be moved.

    Args:
        target: the path that the clone will have; by default the current one.
    """
    make_site_cache(root)
    with Config(str(root / ".dvc"), validate=False).edit("local") as local:
        local.setdefault("cache", {}).update(dir=RelPath(root / ".dvc/cache"), type="reflink,copy")
        local.setdefault("core", {})["site_cache_dir"] = str((target or root) / SITE_CACHE)


def _abandoned(folder: Path) -> bool:
    state = folder.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid():
        return False  # of another user, who could make a link or a pipe of it
    with suppress(OSError), (folder / _IN_USE).open() as mark:
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
