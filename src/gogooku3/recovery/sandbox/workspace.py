"""Folders to work in that leave nothing behind: temporary ones, and clones that keep what DVC stores to themselves."""

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
    """A temporary folder, removed at the end; what killed runs left under the same prefix is removed before.

    A lock says that a folder is in use: the system lets go of it when the process ends, however it ends.
    """
    for left in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        if _abandoned(left):
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    with (folder / f".{_IN_USE}").open("w") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        Path(mark.name).rename(folder / _IN_USE)  # under its name it is locked already
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def isolate(root: Path) -> None:
    """Gives a clone a cache and a memory of its own, whatever the settings of this user or machine share."""
    with Repo(str(root)) as repo, repo.config.edit("local") as local:
        local.setdefault("cache", {})["dir"] = str(root / ".dvc" / "cache")
        local.setdefault("core", {})["site_cache_dir"] = str(root / ".dvc" / "tmp" / "site")


def _abandoned(folder: Path) -> bool:
    with suppress(OSError), (folder / _IN_USE).open() as mark:
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
