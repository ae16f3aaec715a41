"""Files of a local store: opened only if they are files, and replaced whatever is in their place."""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import BinaryIO

from gogooku3.recovery.storage.failures import NotAFileError
from gogooku3.runtime.files import replaced_file


def open_file(path: str) -> BinaryIO:
    """Opens a regular file for reading; a named pipe or a device, which would never end, is a `NotAFileError`."""
    stream = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise NotAFileError(path)
    return stream


def write_file(source: Path, target: Path) -> None:
    """Copies a file into the store, atomically; a full disk leaves no part of it, as DVC's own copy would."""
    _make_way(target)
    with replaced_file(target) as partial:
        shutil.copyfile(source, partial)


def _make_way(path: Path) -> None:
    """Moves a folder from the place of a file, or a file from the place of its folder, to a name with `.moved`."""
    parent = path.parent
    if os.path.lexists(parent) and not parent.is_dir():
        _move_aside(parent)
    if path.is_dir() and not path.is_symlink():
        _move_aside(path)


def _move_aside(path: Path) -> None:
    names = (path.with_name(f"{path.name}.moved{number or ''}") for number in count())
    path.rename(next(name for name in names if not os.path.lexists(name)))


def probe(objects: str, folder: Path | None) -> None:
    """Raises `OSError` if the folder of the objects cannot be listed; it may be absent if `folder`, its root, exists.

    Without a `folder`, it may be absent too.
    """
    if folder is not None and not folder.is_dir():
        raise FileNotFoundError(folder)
    with suppress(FileNotFoundError), os.scandir(objects) as listed:
        next(listed, None)
