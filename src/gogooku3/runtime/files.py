"""Atomic and deterministic file writes, and checksums (SHA-256, MD5).

A folder or file under its final name is complete. A failure while writing leaves the previous version in place.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import polars as pl

from gogooku3.runtime.faults import writing
from gogooku3.runtime.interruption import held

PARQUET: dict[str, Any] = {"compression": "zstd", "compression_level": 3, "statistics": True, "row_group_size": 1 << 20}
"""Settings of parquet files; with the version of Polars they determine the bytes."""

_PARTIAL = ".partial"
_PID_WIDTH = 10
"""Characters of a process number in a lock file."""


@contextmanager
def replaced(target: Path) -> Iterator[Path]:
    """Context manager: a new folder that replaces `target` when the block ends without an error.

    Of two processes with the same target, the second waits for the first and then replaces its result.
    """
    partial = target.with_name(f".{target.name}{_PARTIAL}")
    with writing(target, partial), _locked(partial, _open_folder):
        for leftover in partial.iterdir():
            shutil.rmtree(leftover) if leftover.is_dir() and not leftover.is_symlink() else leftover.unlink()
        try:
            yield partial
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        with held():
            shutil.rmtree(target, ignore_errors=True)
            partial.rename(target)


@contextmanager
def replaced_file(target: Path) -> Iterator[Path]:
    """Context manager: path of a new file that atomically replaces `target` when the block ends without an error.

    Of two processes with the same target, the second waits for the first and then replaces its result.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}{_PARTIAL}")
    with writing(target, partial), _locked(partial, _open_file):
        renamed = False
        try:
            os.truncate(partial, 0)  # of a process that was killed
            yield partial
            with held():
                partial.replace(target)
                renamed = True
        finally:
            if not renamed:  # once it is, the temporary name may be the next process's
                partial.unlink(missing_ok=True)


@contextmanager
def exclusive(file: Path, busy: Callable[[str], Exception] | None = None) -> Iterator[None]:
    """Context manager for work that only one process may do at a time, the one that holds the lock of a file.

    The file has the number of that process, and is removed at the end. The system releases the lock when the process
    ends, even if it is killed.

    Args:
        file: the lock file; Git and DVC ignore names such as `.NAME.lock`.
        busy: makes the error for a second process, given the first one as text, such as ` (process 123)`; None: the
            second process waits.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with _locked(file, _open_file, busy) as descriptor:
        os.pwrite(descriptor, f"{os.getpid():>{_PID_WIDTH}}".encode(), 0)  # one call: a reader sees one number
        try:
            yield
        finally:
            file.unlink(missing_ok=True)


def lock_of(target: Path) -> Path:
    """The lock file of a file or folder that does not exist yet, next to it."""
    target = target.resolve()
    return target.with_name(f".{target.name}.lock")


@contextmanager
def _locked(path: Path, create: Callable[[Path], int], busy: Callable[[str], Exception] | None = None) -> Iterator[int]:
    """Holds the system's lock on a file or folder; the system releases it when the process ends."""
    while True:
        descriptor = create(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
        except BlockingIOError:
            holder = os.pread(descriptor, _PID_WIDTH, 0).decode().strip()
            os.close(descriptor)
            assert busy is not None
            raise busy(f" (process {holder})" if holder else "") from None
        except OSError as error:  # of a file system without locks, without the file's name
            os.close(descriptor)
            raise OSError(error.errno, error.strerror, str(path)) from error
        # While this process waited, another one may have renamed or removed what it has opened.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                break
        os.close(descriptor)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _open_file(partial: Path) -> int:
    return os.open(partial, os.O_RDWR | os.O_CREAT, 0o666)


def _open_folder(partial: Path) -> int:
    while True:  # another process may rename or remove it between any two of these calls
        partial.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            partial.mkdir()
        with suppress(FileNotFoundError):
            return os.open(partial, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)


def write_parquet(frame: pl.DataFrame, target: Path) -> None:
    """Writes a frame as a deterministic parquet file: fixed codec, level and row groups, no timestamp or host name."""
    with replaced_file(target) as partial:
        frame.write_parquet(partial, **PARQUET)


def write_json(content: Any, target: Path) -> None:
    """Writes JSON with two-space indent, keys in the given order and a final newline; refuses NaN."""
    with replaced_file(target) as partial:
        partial.write_text(json_text(content), encoding="utf-8")


def json_text(content: Any) -> str:
    """The text that `write_json` writes."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_csv(frame: pl.DataFrame, target: Path) -> None:
    """Writes a frame as CSV with the shortest decimals that round-trip to the same floats."""
    with replaced_file(target) as partial:
        frame.write_csv(partial)


def sha256_file(path: Path) -> str:
    """Checksum: SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def md5_file(path: Path) -> str:
    """MD5 of a file's bytes, in hexadecimal: the key of the file in DVC's cache."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def sha256_frame(frame: pl.DataFrame) -> str:
    """SHA-256 of a frame's content, in hexadecimal: column names, types and values in the given order.

    It does not depend on the file layout of a particular writer version.
    """
    digest = hashlib.sha256()
    for column in frame.iter_columns():
        digest.update(f"{column.name}\0{column.dtype}\0{len(column)}\0".encode())
        if column.dtype == pl.String:
            digest.update("\0".join(column.to_list()).encode())
        elif column.dtype == pl.Date:
            digest.update(column.to_physical().to_numpy().astype("<i4", order="C", copy=False).data)
        else:
            values = column.to_numpy()
            digest.update(values.astype(values.dtype.newbyteorder("<"), order="C", copy=False).data)
    return digest.hexdigest()
