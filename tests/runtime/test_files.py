"""Atomic writes: a file or folder under its final name is complete; a failure leaves the previous version."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from gogooku3.errors import MachineError
from gogooku3.runtime.faults import reported
from gogooku3.runtime.files import exclusive, replaced, replaced_file, sha256_frame, write_json, write_parquet

from ..meeting import writer


def test_a_new_folder_takes_the_old_ones_place_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "old").write_text("old")
    with replaced(target) as folder:
        (folder / "new").write_text("new")
        assert [path.name for path in target.iterdir()] == ["old"]
    assert [path.name for path in target.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_failure_leaves_the_old_folder_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "old").write_text("old")
    with pytest.raises(RuntimeError), replaced(target) as folder:
        (folder / "new").write_text("half")
        raise RuntimeError
    assert (target / "old").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_leftovers_of_an_earlier_crash_are_not_reused(tmp_path: Path) -> None:
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial/stale").write_text("stale")
    with replaced(tmp_path / "out"):
        pass
    assert list((tmp_path / "out").iterdir()) == []


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), replaced_file(target) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]


@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("killed", [False, True])
def test_two_writers_of_one_target_write_one_after_the_other(tmp_path: Path, kind: str, killed: bool) -> None:
    target = tmp_path / "target"
    with writer(kind, target, "first", 2.0) as first:
        assert first.stdout.readline() == "writing\n"
        with writer(kind, target, "second", 0.0) as second:
            if killed:
                first.kill()
            assert second.wait() == 0
            assert first.wait() == (-9 if killed else 0), "the second waited for the first"
    content = target.read_text() if kind == "file" else {path.name: path.read_text() for path in target.iterdir()}
    whole = "second" * 20
    assert content == (whole if kind == "file" else {"second": whole})
    assert list(tmp_path.iterdir()) == [target]


MEETING = """
import sys
from pathlib import Path
from gogooku3.runtime.files import exclusive, replaced, replaced_file

kind, target, word = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
count = target.with_name("count")
print("ready", flush=True)
sys.stdin.read()
for _ in range(1000):
    if kind == "file":
        with replaced_file(target) as partial:
            partial.write_text(word * 1000)
    elif kind == "folder":
        with replaced(target) as partial:
            (partial / "it").write_text(word * 1000)
    else:
        with exclusive(target):
            count.write_text(str(int(count.read_text()) + 1))
"""


def test_the_end_of_one_turn_leaves_the_file_of_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next process begins as soon as the temporary name is free: right after the rename."""
    target = tmp_path / "target"
    rename, others = Path.replace, []

    def then_another_begins(path: Path, to: Path) -> None:
        rename(path, to)
        others.append(writer("file", target, "second", 1.0))
        assert others[0].stdout.readline() == "writing\n"

    monkeypatch.setattr(Path, "replace", then_another_begins)
    with replaced_file(target) as partial:
        partial.write_text("first")
    assert target.read_text() == "first"
    assert [each.communicate() and each.returncode for each in others] == [0]
    assert target.read_text() == "second" * 20


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["file", "folder", "lock"])
def test_processes_that_meet_many_times_disturb_nobody(tmp_path: Path, kind: str) -> None:
    """The end of one process's turn falls into every moment of another's start."""
    target, count = tmp_path / "target", tmp_path / "count"
    count.write_text("0")
    read, write = os.pipe()
    words = ("one", "two", "six")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MEETING, kind, str(target), word], stdin=read, stdout=subprocess.PIPE, text=True
        )
        for word in words
    ]
    assert [process.stdout.readline() for process in processes] == ["ready\n"] * 3
    os.close(read)
    os.close(write)
    assert [process.communicate() and process.returncode for process in processes] == [0] * 3
    if kind == "lock":
        assert (count.read_text(), [path.name for path in tmp_path.iterdir()]) == ("3000", ["count"])
        return
    content = (target if kind == "file" else target / "it").read_text()
    assert content in [word * 1000 for word in words]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["count", "target"]


HOLDER = """
import sys
import time
from pathlib import Path
from gogooku3.runtime.files import exclusive

with exclusive(Path(sys.argv[1])):
    print("holding", flush=True)
    time.sleep(60)
"""


def test_a_second_process_is_refused_until_the_first_ends_even_by_a_kill(tmp_path: Path) -> None:
    file = tmp_path / ".it.lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(file)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "holding\n"
        with pytest.raises(LookupError, match=rf"busy \(process {holder.pid}\)"), exclusive(file, busy):
            pass
        holder.kill()
    assert file.exists()
    with exclusive(file, busy), pytest.raises(LookupError), exclusive(file, busy):
        pass
    assert list(tmp_path.iterdir()) == []


def busy(process: str) -> Exception:
    return LookupError(f"busy{process}")


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS])
def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Such as NFS without a lock service, or Lustre without `flock`."""
    target = tmp_path / "target"

    def flock(_file: int, _operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(MachineError, match=f"`{target}` cannot be used: ") as raised, reported():
        write_json({}, target)
    assert "its file system has no locks" in raised.value.hint
    assert not target.exists()


def test_json_refuses_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json({"x": float("nan")}, tmp_path / "x.json")
    assert list(tmp_path.iterdir()) == []


def test_the_hash_of_a_frame_depends_on_its_content_not_on_its_file(tmp_path: Path) -> None:
    frame = pl.DataFrame({"Date": [date(2024, 1, 4)] * 9, "Code": list("abcdefghi"), "x": [0.5 * i for i in range(9)]})
    write_parquet(frame, tmp_path / "one.parquet")
    frame.write_parquet(tmp_path / "other.parquet", compression="uncompressed", row_group_size=2)
    one, other = (tmp_path / "one.parquet", tmp_path / "other.parquet")
    assert one.read_bytes() != other.read_bytes()
    assert sha256_frame(pl.read_parquet(one)) == sha256_frame(pl.read_parquet(other)) == sha256_frame(frame)


@pytest.mark.parametrize(
    "other",
    [
        pl.DataFrame({"a": ["x", "yz"], "b": [1.0, 3.0]}),
        pl.DataFrame({"a": ["xy", "z"], "b": [1.0, 2.0]}),
        pl.DataFrame({"a": ["x", "yz"], "c": [1.0, 2.0]}),
        pl.DataFrame({"b": [1.0, 2.0], "a": ["x", "yz"]}),
        pl.DataFrame({"a": ["x", "yz"], "b": [1.0, 2.0]}, schema_overrides={"b": pl.Float32}),
        pl.DataFrame({"a": ["yz", "x"], "b": [2.0, 1.0]}),
    ],
)
def test_the_hash_of_a_frame_sees_values_names_types_and_orders(other: pl.DataFrame) -> None:
    assert sha256_frame(other) != sha256_frame(pl.DataFrame({"a": ["x", "yz"], "b": [1.0, 2.0]}))
