"""Faults of the machine and of files, as the libraries raise them, and the `UserError` that reports each.

A full disk, a missing permission, memory that runs out and a damaged file reach a stage as exceptions of Python,
Polars, PyArrow, NumPy, torch, LightGBM, SQLite and safetensors. Only what is listed here is a fault; any other
exception is a bug and keeps its traceback. Polars ends the process (SIGABRT) if it gets no memory, or waits forever for
a thread that could not start: no code runs then.
"""

from __future__ import annotations

import errno
import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from gogooku3.errors import DataError, MachineError, UserError, filesystem_error

_RUST_ERROR = re.compile(r"\(os error (\d+)\)|\bOs \{ code: (\d+),")
"""How libraries in Rust (Polars, safetensors) print an error of the operating system."""
_RUST_FILE = re.compile(r": ([^\n]+)")
"""The file that Polars names after it."""
_RUST_LIBRARIES = ("polars", "pyo3_runtime", "safetensors")
_SHORT_WRITE = re.compile(r"^\d+ requested and \d+ written$")
"""NumPy's message for a write that the operating system cut off."""
_SQLITE = {
    "attempt to write a readonly database": errno.EROFS,
    "database or disk is full": errno.ENOSPC,
    "disk I/O error": errno.EIO,
}
"""SQLite's messages for errors of the operating system."""
_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})
_NO_MEMORY = {
    "torch": re.compile(r"DefaultCPUAllocator: can't allocate memory|out of memory", re.IGNORECASE),
    "lightgbm": re.compile(r"bad_?alloc|bad allocation", re.IGNORECASE),
    "builtins": re.compile(
        r"DefaultCPUAllocator: can't allocate memory|CUDA out of memory|can't start new thread"
        r"|failed to map segment from shared object|error return without exception set|^std::bad_alloc$"
    ),
}
"""Messages about memory by the library that defines the class; torch raises plain `RuntimeError` too. The last one is
CPython's `SystemError` for a call that had no memory even for its own exception."""
_NO_MEMORY_MESSAGE = "this machine has not enough memory"
_NO_MEMORY_HINT = (
    "end other programs, raise the limit of memory (`ulimit -v`, container), or use a machine with more; then run the"
    " same command again: finished work is kept"
)
_DAMAGED = {
    "polars": re.compile(r"^parquet: File out of specification|^could not find a '?EOCD|^IPC: .*invalid"),
    "pyarrow": re.compile(r"Parquet magic bytes not found|Couldn't deserialize thrift|Corrupt|not a parquet file"),
    "safetensors": re.compile(r"^Error while deserializing"),
}
"""Messages about a damaged file by the library that defines the class."""


class OutOfMemoryError(MachineError):
    """The process got no memory, so that code that runs afterwards may fail too: see `end_process`."""


def user_error(error: BaseException) -> UserError | None:
    """The error to report for an exception; None for a bug, whose traceback is needed."""
    if isinstance(error, UserError):
        return error
    if (cause := os_error(error)) is not None:
        return _memory_error(error) if cause.errno in (errno.ENOMEM, errno.EAGAIN) else filesystem_error(cause)
    if isinstance(error, MemoryError) or _matches(_NO_MEMORY, error):
        return _memory_error(error)
    if _matches(_DAMAGED, error):
        return DataError(
            f"a file is damaged: {_one_line(error)}",
            hint="`dvc status` lists the outputs that changed: restore them (`dvc checkout --force`), or run their"
            " stage again (`dvc repro --force --single-item STAGE`)",
        )
    if isinstance(error, EOFError) and "marshal" in str(error):
        details = _one_line(error)
        return DataError(
            f"a file that Python or a library keeps for itself is cut off{f': {details}' if details else ''}",
            hint="a full disk or a killed process cuts files off: delete the folders `__pycache__` of the source, then"
            " run the same command again",
        )
    return None


def os_error(error: BaseException) -> OSError | None:
    """The error of the operating system that an exception is or reports; None if it reports none."""
    text = str(error)
    found = _RUST_ERROR.search(text)
    if found and (_library(error) in _RUST_LIBRARIES or isinstance(error, OSError)):
        number, file = int(found[1] or found[2]), _RUST_FILE.match(text, found.end())
        return OSError(number, os.strerror(number), file and file[1])
    if isinstance(error, OSError) and not isinstance(error, io.UnsupportedOperation):
        if _SHORT_WRITE.match(text):
            return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return error
    if _library(error) == "sqlite3" and text in _SQLITE:
        return OSError(_SQLITE[text], os.strerror(_SQLITE[text]))
    return None


@contextmanager
def reported() -> Iterator[None]:
    """Context manager that raises the `UserError` of a fault; a bug keeps its exception."""
    try:
        yield
    except BaseException as error:  # a panic of Polars is no `Exception`
        fault = user_error(error)
        if fault is None or fault is error:
            raise
        raise fault from error


@contextmanager
def writing(target: Path, partial: Path) -> Iterator[None]:
    """Context manager that names the target of a write in errors of its disk, which most libraries leave out.

    Args:
        target: the final name.
        partial: the temporary name that stands for it.
    """
    try:
        yield
    except Exception as error:
        cause = None if isinstance(error, UserError) else os_error(error)
        if cause is None or not (
            str(cause.filename) == str(partial) or (cause.filename is None and cause.errno in _DISK)
        ):
            raise
        raise OSError(cause.errno, cause.strerror, str(target)) from error


def print_error(error: OutOfMemoryError | MemoryError) -> None:
    """Prints the error to stderr; without its details if there is no memory for them."""
    text = f"error: {_NO_MEMORY_MESSAGE}\nhint: {_NO_MEMORY_HINT}\n"
    with suppress(MemoryError):
        text = f"error: {user_error(error)}\n"
    os.write(2, text.encode())


def end_process(code: int) -> NoReturn:
    """Ends the process without the exit handlers of libraries, which print a traceback if they get no memory."""
    with suppress(Exception):
        sys.stdout.flush()
    os._exit(code)


def _memory_error(error: BaseException) -> OutOfMemoryError:
    details = _one_line(error)
    return OutOfMemoryError(f"{_NO_MEMORY_MESSAGE}{f': {details}' if details else ''}", hint=_NO_MEMORY_HINT)


def _matches(messages: dict[str, re.Pattern[str]], error: BaseException) -> bool:
    pattern = messages.get(_library(error))
    return pattern is not None and pattern.search(str(error)) is not None


def _library(error: BaseException) -> str:
    """The top-level package that defines the exception's class."""
    return type(error).__module__.partition(".")[0]


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
