from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gogooku3.recovery.storage.runs import DamagedRun, Run, read_runs

RUNS = ".dvc/cache/runs"
KEY = "ab" + 62 * "0"
WHOLE = b"cmd: x\nouts:\n- path: a\n  md5: " + 16 * b"0a"


def read(folder: Path) -> tuple[dict[str, list[Run]], list[DamagedRun]]:
    return read_runs(folder, lambda _what, _done, _total: None)


def written(folder: Path, content: bytes, name: str = "value") -> Path:
    """Writes a file at a path at which DVC looks for a run."""
    file = folder / KEY[:2] / KEY / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def test_runs_are_read_as_dvc_repro_records_them(unstable):
    runs, damaged = read(unstable.folder / RUNS)
    assert damaged == []
    by_command = {run.command: run for each in runs.values() for run in each}
    draw = next(by_command[command] for command in by_command if command.startswith("python -c"))
    assert draw.outputs == {
        name: hashlib.md5((unstable.folder / name).read_bytes()).hexdigest() for name in ("draw.bin", "same.txt")
    }
    measure = by_command["mkdir -p measured && cat seed.txt machine.txt > measured/all.txt"]
    assert measure.outputs["measured"].endswith(".dir")
    assert {Path(each[0].path).parent.name for each in runs.values()} == set(runs)
    for run in by_command.values():
        assert datetime.fromisoformat(run.written).tzinfo == UTC
        assert datetime.fromisoformat(run.written).timestamp() == pytest.approx(Path(run.path).stat().st_mtime)


def test_a_cache_without_runs_has_recorded_none(tmp_path):
    assert read(tmp_path / "runs") == ({}, [])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"cmd: [",
        b"cmd: 2001-99-99",
        b"- cmd",
        b"\x00",
        b"\xff\xfe",
        b"cmd: x\nunknown: 1",
        b"cmd: x",
        b"cmd: x\nouts: []",
        b"cmd: x\nouts:\n- path: a",
        b"cmd: x\nouts:\n- path: a\n  md5:",
        b"cmd: x\nouts:\n- path: a\n  md5: 0123abc",
        b"cmd: x\nouts:\n- path: a\n  md5: ../../../../elsewhere",
    ],
)
def test_an_invalid_record_is_damaged_and_the_others_are_read(tmp_path, content):
    whole = written(tmp_path, WHOLE, "whole")
    file = written(tmp_path, content)
    runs, damaged = read(tmp_path)
    assert [run.path for run in runs[KEY]] == [str(whole)]
    assert [each.path for each in damaged] == [str(file)]
    assert f"`rm -r {file}`" in damaged[0].hint


def test_a_truncated_file_is_damaged_or_lacks_complete_outputs(unstable):
    """A killed transfer leaves a truncated file."""
    file = next(path for path in (unstable.folder / RUNS).glob("*/*/*") if b"draw.bin" in path.read_bytes())
    content, [run] = file.read_bytes(), read(unstable.folder / RUNS)[0][file.parent.name]
    for length in range(0, len(content), 13):
        file.write_bytes(content[:length])
        runs, damaged = read(unstable.folder / RUNS)
        if damaged:
            assert [each.path for each in damaged] == [str(file)]
        else:
            assert runs[file.parent.name][0].outputs.items() < run.outputs.items()


def test_unreadable_files_are_named_with_the_system_s_reason(tmp_path):
    folder = written(tmp_path, b"", "value").with_name("folder")
    folder.with_name("value").unlink()
    folder.mkdir()
    assert [(each.path, each.reason) for each in read(tmp_path)[1]] == [
        (str(folder), "it cannot be read: Is a directory")
    ]
    file = tmp_path / "file"
    file.touch()
    assert [(each.path, each.reason) for each in read(file)[1]] == [(str(file), "it cannot be read: Not a directory")]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_an_unreadable_folder_does_not_count_as_empty(tmp_path):
    folder = written(tmp_path, b"").parent
    folder.chmod(0)
    try:
        assert [each.path for each in read(tmp_path)[1]] == [str(folder)]
    finally:
        folder.chmod(0o755)


def test_files_that_dvc_does_not_take_for_runs_are_skipped(tmp_path):
    (tmp_path / "README").write_text("no run")
    (tmp_path / "ab").mkdir()
    (tmp_path / "ab/README").write_text("no run")
    assert read(tmp_path) == ({}, [])


def test_a_linked_folder_is_read_as_dvc_reads_it(tmp_path):
    written(tmp_path / "elsewhere", WHOLE)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/ab").symlink_to(tmp_path / "elsewhere/ab")
    assert list(read(tmp_path / "runs")[0]) == [KEY]


def test_progress_counts_the_files(unstable):
    calls = []
    read_runs(unstable.folder / RUNS, lambda *progress: calls.append(progress))
    assert calls == [("reading runs", 1, 2), ("reading runs", 2, 2)]
