"""Exceptions of libraries that a user's machine or files cause become errors with a hint; bugs keep their traceback."""

from __future__ import annotations

import errno
import mmap
import py_compile
import resource
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import lightgbm
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from gogooku3.errors import DataError, MachineError, MismatchError, UserError
from gogooku3.runtime.faults import os_error, reported, user_error, writing
from gogooku3.runtime.files import replaced, write_csv, write_json, write_parquet


def raised(work: Callable[[], object]) -> BaseException:
    try:
        work()
    except BaseException as error:
        return error
    raise AssertionError("it works")


FRAME = pl.DataFrame({"a": np.arange(100_000)})


@contextmanager
def small_files() -> Iterator[None]:
    """No file can be larger than 500 bytes: writes fail in the middle, as on a full disk.

    Not for a whole test: pytest's own output may be a file.
    """
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_bytes(b"x" * 10_000),
        lambda path: np.zeros(10_000).tofile(path),
        FRAME.write_parquet,
        FRAME.write_csv,
        lambda path: pq.write_table(pa.table({"a": range(100_000)}), path),
        lambda path: save_file({"a": torch.zeros(10_000)}, path),
    ],
    ids=["Python", "NumPy", "Polars, parquet", "Polars, CSV", "PyArrow", "safetensors"],
)
def test_a_full_disk(write: Callable[[Path], object], tmp_path: Path) -> None:
    with small_files():
        error = user_error(raised(lambda: write(tmp_path / "file")))
    assert isinstance(error, MachineError)
    assert "File too large" in error.message or "No space left on device" in error.message
    assert error.hint.startswith("free some space on the disk")


def test_errors_of_the_operating_system_in_the_words_of_libraries() -> None:
    full = SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
    panic = pl.exceptions.PanicException("called `unwrap()` on an `Err` value: Os { code: 28, kind: StorageFull }")
    for error in (full, panic, sqlite3.OperationalError("database or disk is full")):
        found = os_error(error)
        assert found is not None
        assert found.errno == errno.ENOSPC
    missing = os_error(raised(lambda: pl.read_parquet("/nowhere/bars.parquet")))
    assert missing is not None
    assert (missing.errno, missing.filename) == (errno.ENOENT, "/nowhere/bars.parquet")


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.EACCES, "make it readable and writable for your user"),
        (errno.EROFS, "make it readable and writable for your user"),
        (errno.EDQUOT, "free some space on the disk of `data/quotes`"),
        (errno.ENOTDIR, "free some space, or choose a path"),
    ],
)
def test_the_hint_says_what_to_do_about_the_cause(number: int, hint: str) -> None:
    error = user_error(OSError(number, "because", "data/quotes"))
    assert isinstance(error, MachineError)
    assert error.message == "`data/quotes` cannot be used: because"
    assert error.hint.startswith(hint)


def test_a_copy_that_fills_the_disk_names_its_target(tmp_path: Path) -> None:
    source, target = Path(__file__), tmp_path / "copy"
    with small_files():
        error = user_error(raised(lambda: shutil.copyfile(source, target)))
    assert isinstance(error, MachineError)
    assert error.message == f"`{target}` cannot be used: File too large"


@pytest.mark.parametrize(
    "work",
    [
        lambda: np.ones((10**6, 10**6, 100)),
        lambda: torch.zeros(10**6, 10**6, 100),
        lambda: pa.allocate_buffer(10**15),
        lambda: mmap.mmap(-1, 10**15),
        lambda: bytearray(10**15),
    ],
    ids=["NumPy", "torch", "PyArrow", "memory map", "Python"],
)
def test_memory_that_runs_out(work: Callable[[], object]) -> None:
    error = user_error(raised(work))
    assert isinstance(error, MachineError)
    assert error.message.startswith("this machine has not enough memory")
    assert "\n" not in error.message


@pytest.mark.parametrize(
    "error",
    [
        lightgbm.basic.LightGBMError("std::bad_alloc"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        SystemError("error return without exception set"),
        RuntimeError("can't start new thread"),
        RuntimeError("std::bad_alloc"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
        pl.exceptions.PanicException("failed to spawn thread: Os { code: 11, kind: WouldBlock }"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_messages_about_memory(error: BaseException) -> None:
    found = user_error(error)
    assert isinstance(found, MachineError)
    assert found.message.startswith("this machine has not enough memory")


def test_damaged_files_are_wrong_data(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"PAR1xxxxxxxxxxxxxxxxxxxxxxx")
    readers = (pl.read_parquet, pq.read_table, lambda file: safe_open(file, "pt"))
    for read in readers:
        error = user_error(raised(lambda read=read: read(path)))
        assert isinstance(error, DataError)
        assert error.message.startswith("a file is damaged: ")


def bug() -> None:
    raise ValueError("a bug about memory, out of memory, no space left on device (os error 28)")


@pytest.mark.parametrize(
    "work",
    [
        bug,
        lambda: FRAME.select("b"),
        lambda: FRAME.select(pl.col("a").str.to_uppercase()),
        lambda: torch.zeros(2) @ torch.zeros(3),
        lambda: lightgbm.Dataset(np.ones((2, 2)), np.ones(3)).construct(),
        lambda: pa.array([1]).cast(pa.list_(pa.int8())),
        lambda: sqlite3.connect(":memory:").execute("nonsense"),
        lambda: [][1],
        lambda: __import__("nowhere"),
    ],
)
def test_a_bug_keeps_its_exception(work: Callable[[], object]) -> None:
    error = raised(work)
    assert user_error(error) is None
    with pytest.raises(type(error)) as kept, reported():
        raise error
    assert kept.value is error


def test_a_user_s_error_passes() -> None:
    error = MismatchError("says more", hint="")
    with pytest.raises(UserError) as kept, reported():
        raise error
    assert kept.value is error


def test_the_error_names_the_file_that_was_written(tmp_path: Path) -> None:
    for write, content in ((write_parquet, FRAME), (write_csv, FRAME), (write_json, "x" * 10_000)):
        target = tmp_path / write.__name__
        with pytest.raises(MachineError, match=f"`{target}` cannot be used: File too large"), small_files(), reported():
            write(content, target)
        assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_read_meanwhile_keeps_its_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as missing, writing(tmp_path / "target", tmp_path / "partial"):
        (tmp_path / "input").read_text()
    assert missing.value.filename == str(tmp_path / "input")
    with pytest.raises(FileNotFoundError), replaced(tmp_path / "folder"):
        (tmp_path / "input").read_text()
    assert list(tmp_path.iterdir()) == []


def test_bytecode_that_a_full_disk_cut_off_is_wrong_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.11 publishes the part of a `.pyc` file that fitted on the disk."""
    (tmp_path / "cut_off.py").write_text("VALUE = 1\n")
    cached = Path(py_compile.compile(str(tmp_path / "cut_off.py"), doraise=True))
    cached.write_bytes(cached.read_bytes()[:-10])
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DataError, match="is cut off: marshal data too short") as error, reported():
        import_module("cut_off")
    assert "`__pycache__`" in error.value.hint
