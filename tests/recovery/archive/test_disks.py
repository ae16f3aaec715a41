"""Full, read-only and failing disks: the error names the disk or file that is the reason, nothing partial is left, and
the next run completes with the same bytes."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gogooku3.cli import main
from gogooku3.errors import DataError, MachineError, RefusedError
from gogooku3.recovery.archive import standalone
from gogooku3.recovery.archive.read import open_archive
from gogooku3.recovery.archive.restore import restore
from gogooku3.recovery.releases.clone import claimed
from gogooku3.runtime.files import sha256_file

from ...disks import Disk, mounted

Command = Callable[..., Result]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with mounted(tmp_path / "disk", "64k") as small:
        yield small


@pytest.fixture
def archive(released: Any, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs `gogooku3 archive VERB` in the repository of the release."""
    monkeypatch.chdir(released.folder)
    return lambda *arguments: CliRunner().invoke(main, ["archive", *map(str, arguments)])


def blamed(done: Result, folder: Path, reason: str) -> None:
    """Checks that the error is one of this machine, names a path in the folder, and blames nothing else."""
    assert done.exit_code == 4, done.output
    last = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(last) == 1
    assert f"`{folder}" in last[0]
    assert reason in last[0]
    assert not any(word in done.stderr for word in ("Traceback", "credentials", "another copy", "bucket", "dvc/cache"))


def test_create_on_a_full_disk(archive: Command, archived: Path, disk: Disk) -> None:
    target = disk.folder / "it.tar"
    blamed(archive("create", "tier1", "--output", target), target, "No space left on device")
    assert disk.names() == []
    disk.remount("size=1m")
    assert archive("create", "tier1", "--output", target).exit_code == 0
    assert sha256_file(target) == sha256_file(archived)


def test_create_in_a_folder_that_cannot_be_written_to_ends_before_it_reads_an_object(
    archive: Command, disk: Disk
) -> None:
    disk.remount("ro")
    done = archive("create", "tier1", "--output", disk.folder / "it.tar")
    blamed(done, disk.folder / "it.tar", "Read-only file system")
    assert "hashing" not in done.output


@pytest.mark.parametrize("verb", ["create", "list", "restore"])
def test_a_full_temporary_folder(
    archive: Command, archived: Path, disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(disk.folder))
    arguments = {
        "create": ["tier1", "--output", tmp_path / "it.tar"],
        "list": [archived],
        "restore": [archived, "--to", tmp_path / "it"],
    }
    blamed(archive(verb, *arguments[verb]), disk.folder, "No space left on device")
    assert disk.names() == []
    assert not [path for path in tmp_path.iterdir() if path != disk.folder]


@pytest.mark.parametrize("size", ["200k", *(pytest.param(s, marks=pytest.mark.slow) for s in ("16k", "400k", "520k"))])
def test_restore_on_a_full_disk(archive: Command, archived: Path, disk: Disk, size: str) -> None:
    """It fills up in the clone, in Git's checkout, in the objects, or in DVC's own database."""
    disk.remount(f"size={size}")
    blamed(archive("restore", archived, "--to", disk.folder / "it"), disk.folder, "No space left on device")
    assert disk.names() == []


@pytest.mark.slow
def test_restore_completes_after_space_was_freed(
    released: Any, archive: Command, archived: Path, disk: Disk, tmp_path: Path
) -> None:
    assert archive("restore", archived, "--to", disk.folder / "it").exit_code == 4
    disk.remount("size=16m")
    assert archive("restore", archived, "--to", disk.folder / "it").exit_code == 0
    assert disk.names() == ["it"]
    for file in (released.folder / "models").rglob("*.safetensors"):
        assert (disk.folder / "it" / file.relative_to(released.folder)).read_bytes() == file.read_bytes()


def test_restore_into_a_folder_that_cannot_be_written_to(archive: Command, archived: Path, disk: Disk) -> None:
    disk.remount("ro")
    blamed(archive("restore", archived, "--to", disk.folder / "it"), disk.folder / "it", "Read-only file system")


@pytest.mark.parametrize("length", [1000, 2000, 60_000, -512])
def test_a_truncated_archive_is_not_called_altered(archived: Path, tmp_path: Path, length: int) -> None:
    file = tmp_path / "cut.tar"
    file.write_bytes(archived.read_bytes()[:length])
    with pytest.raises(DataError, match=r"`.*cut\.tar` is truncated: it has [\d,]+ bytes of [\d,]+") as raised:
        restore(file, tmp_path / "it")
    assert "copy it again" in raised.value.hint
    assert list(tmp_path.iterdir()) == [file]


def test_an_unreadable_archive_is_not_called_damaged(tmp_path: Path) -> None:
    (tmp_path / "it.tar").symlink_to("/proc/self/mem")  # EIO
    with (
        pytest.raises(MachineError, match=r"it\.tar` cannot be read: Input/output error"),
        open_archive(tmp_path / "it.tar"),
    ):
        pass


def test_a_second_process_that_restores_into_the_same_folder_is_refused(archived: Path, tmp_path: Path) -> None:
    with (
        claimed(tmp_path / "it"),
        pytest.raises(RefusedError, match=r"another recovery into `.*it` is running \(process \d+\)"),
    ):
        restore(archived, tmp_path / "it")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def unpacked(archived: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "unpacked"
    folder.mkdir()
    subprocess.run(["tar", "-xf", archived, "-C", folder], check=True)
    return folder


def script(unpacked: Path, target: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-I", unpacked / "restore.py", target],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_script(unpacked: Path, target: Path) -> tuple[int, str]:
    process = script(unpacked, target)
    errors = process.communicate()[1]
    return process.returncode, errors


@pytest.mark.parametrize("size", ["64k", "200k"])
def test_the_script_on_a_full_disk(unpacked: Path, disk: Disk, size: str) -> None:
    disk.remount(f"size={size}")
    code, errors = run_script(unpacked, disk.folder / "it")
    assert (code, errors.splitlines()) == (
        4,
        [
            f"error: the disk of {disk.folder}/it is full: No space left on device. Nothing was restored",
            "hint: free some space there, or name a folder on another disk",
        ],
    )
    assert disk.names() == []
    disk.remount("size=16m")
    assert run_script(unpacked, disk.folder / "it") == (0, "")
    assert sha256_file(disk.folder / "it" / standalone.WEIGHTS) == standalone.check(unpacked)["model_sha256"]


def test_the_script_and_a_folder_that_cannot_be_written_to(unpacked: Path, disk: Disk) -> None:
    disk.remount("ro")
    code, errors = run_script(unpacked, disk.folder / "it")
    assert code == 4
    assert f"{disk.folder}/it cannot be written: Read-only file system. Nothing was restored" in errors


def cut(folder: Path) -> None:
    bundle = folder / "repository.bundle"
    bundle.write_bytes(bundle.read_bytes()[:100])


def unreadable(folder: Path) -> None:
    (folder / "MANIFEST.json").unlink()
    (folder / "MANIFEST.json").symlink_to("/proc/self/mem")


@pytest.mark.parametrize(
    ("spoil", "code", "says", "hint"),
    [
        (cut, 3, r"repository\.bundle is truncated: 100 of [\d,]+ bytes", "unpack the tar again"),
        (lambda folder: (folder / "MANIFEST.json").unlink(), 3, r"MANIFEST\.json is missing", "unpack the tar again"),
        (lambda folder: (folder / "README.md").unlink(), 3, r"README\.md is missing", "unpack the tar again"),
        (lambda folder: (folder / "README.md").write_text("x" * 9999), 3, r"README\.md was altered", "another copy"),
        (unreadable, 4, r"MANIFEST\.json cannot be read: Input/output error", "check its disk"),
    ],
    ids=["cut", "no manifest", "lost", "altered", "unreadable"],
)
def test_the_script_tells_a_damaged_archive_from_an_incomplete_and_an_unreadable_one(
    unpacked: Path, tmp_path: Path, spoil: Callable[[Path], object], code: int, says: str, hint: str
) -> None:
    spoil(unpacked)
    with pytest.raises(standalone.ArchiveError, match=says) as raised:
        standalone.restore(unpacked, tmp_path / "it")
    assert raised.value.exit_code == code
    assert hint in raised.value.hint
    assert list(tmp_path.iterdir()) == [unpacked]


@pytest.mark.slow
def test_of_two_scripts_at_once_one_restores_and_the_other_is_refused(unpacked: Path, tmp_path: Path) -> None:
    both = [script(unpacked, tmp_path / "it") for _ in range(2)]
    errors = [process.communicate()[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 1]
    assert any(text in "".join(errors) for text in ("another process", "is not empty"))
    assert sha256_file(tmp_path / "it" / standalone.WEIGHTS) == standalone.check(unpacked)["model_sha256"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["it", "unpacked"]


def test_a_script_that_finds_the_folder_restored_leaves_nothing_next_to_it(
    unpacked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one ends while this one hashes the archive."""
    check = standalone.check

    def then_another_ends(folder: Path) -> dict[str, Any]:
        assert run_script(unpacked, tmp_path / "it") == (0, "")
        return check(folder)

    monkeypatch.setattr(standalone, "check", then_another_ends)
    with pytest.raises(standalone.ArchiveError, match="is not empty") as raised:
        standalone.restore(unpacked, tmp_path / "it")
    assert raised.value.exit_code == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["it", "unpacked"]
