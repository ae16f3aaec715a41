"""A dataset's values as arrays on disk, laid out for windows and read in place.

`.<dataset>.panel/<key>/` beside the dataset's folder holds one file per array of `Panel`. It is derived from the
dataset and made when it is first asked for; its key is the hash of the dataset's table of contents, its schema, the
preprocessing and the code that lays out. Opening it decodes no parquet file. Before it is believed, every array is
hashed, and every file of the dataset that was touched since is read and checked again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gogooku3.dataset.contents import Contents
from gogooku3.dataset.schema import Schema
from gogooku3.errors import MachineError
from gogooku3.panel.arrays import ARRAYS, Axes, array_path, write_arrays
from gogooku3.runtime.files import sha256_file, write_json

_MADE_BY = ("panel/arrays.py", "dataset/normalise.py")
"""The modules whose change may give other arrays of the same dataset."""
_KEPT = 2
"""Layouts kept of a dataset, the last used: its own, and that of a model with another preprocessing."""
_CHUNK = 1 << 26
"""Bytes hashed at a time."""
_RECORD = "record.json"


@dataclass(frozen=True, eq=False)
class MappedArrays:
    """The arrays of a panel, mapped from disk."""

    axes: Axes
    arrays: dict[str, npt.NDArray[Any]]


def open_arrays(contents: Contents, schema: Schema, preprocess: dict[str, Any]) -> MappedArrays:
    """Opens the arrays of a dataset, or makes them.

    Raises:
        DataError: a file of the dataset is unreadable, or there are not as many months of features as of targets.
        MismatchError: columns, rows or values are not what schema and table of contents say.
        MachineError: the folder beside the dataset cannot be written to.
    """
    root = contents.folder.with_name(f".{contents.folder.name}.panel")
    folder = root / _key(contents, schema, preprocess)
    try:
        if not _is_current(folder, contents, schema):
            with _lock(root):
                if not _is_current(folder, contents, schema):  # nor has another process made it meanwhile
                    _make(folder, contents, schema, preprocess)
    except OSError as error:
        raise MachineError(
            f"the panel of `{contents.folder}` cannot be laid out in `{root}`: {error.strerror}",
            hint="free some space, or link the dataset into a folder that you can write to and name the link",
        ) from None
    with suppress(PermissionError):  # in somebody else's folder
        os.utime(folder)
    record = _record(folder)
    axes = Axes(pl.Series(record["sessions"]).str.to_date(), pl.Series(record["codes"], dtype=pl.String))
    # Copy on write: torch takes no memory that must not be written to, and nobody's writing reaches the file.
    return MappedArrays(axes, {name: np.load(array_path(folder, name), mmap_mode="c") for name in ARRAYS})


def _key(contents: Contents, schema: Schema, preprocess: dict[str, Any]) -> str:
    code = [sha256_file(Path(__file__).parents[1] / name) for name in _MADE_BY]
    content = [code, contents.files, schema.as_json(), preprocess]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


@contextmanager
def _lock(root: Path) -> Iterator[None]:
    root.mkdir(exist_ok=True)
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _record(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
    return record


def _is_current(folder: Path, contents: Contents, schema: Schema) -> bool:
    """Whether the arrays are as they were made, from files that are as they were."""
    try:
        record = _record(folder)
        if any(_hashes(array_path(folder, name)) != record["arrays"][name] for name in ARRAYS):
            return False
    except (FileNotFoundError, ValueError):
        return False
    stamps = _file_stats(contents)
    touched = [name for name, stamp in stamps.items() if record["stamps"][name] != stamp]
    for name in touched:
        contents.frame(name, schema.columns(name))
    if touched:
        write_json(record | {"stamps": stamps}, folder / _RECORD)
    return True


def _file_stats(contents: Contents) -> dict[str, list[int]]:
    """Size, time of change and place of each file: while they stay, so does what was read."""
    stats = {name: (contents.folder / name).stat() for name in contents.files}
    return {name: [stat.st_size, stat.st_mtime_ns, stat.st_ino] for name, stat in stats.items()}


def _hashes(path: Path) -> list[str]:
    """SHA-256 of each chunk of a file."""

    def of_chunk(start: int) -> str:
        with path.open("rb") as stream:
            stream.seek(start)
            return hashlib.sha256(stream.read(_CHUNK)).hexdigest()

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(of_chunk, range(0, path.stat().st_size, _CHUNK)))


def _make(folder: Path, contents: Contents, schema: Schema, preprocess: dict[str, Any]) -> None:
    """Makes the arrays beside their place, puts them there, and removes all layouts but the last used."""
    for abandoned in folder.parent.glob("*.partial"):
        shutil.rmtree(abandoned)
    stamps = _file_stats(contents)
    partial = Path(mkdtemp(suffix=".partial", dir=folder.parent))
    try:
        axes = write_arrays(partial, contents, schema, preprocess)
        record = {
            "sessions": [str(session) for session in axes.sessions],
            "codes": axes.codes.to_list(),
            "stamps": stamps,
            "arrays": {name: _hashes(array_path(partial, name)) for name in ARRAYS},
        }
        write_json(record, partial / _RECORD)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    layouts = sorted(folder.parent.glob("*/"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in layouts[_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
