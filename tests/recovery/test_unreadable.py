"""Objects that cannot be read: each is a finding with its path and a remedy, and good copies are used."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from gogooku3.cli import main
from gogooku3.errors import StoreError
from gogooku3.recovery.audit import audit
from gogooku3.recovery.doctor.machine import disk as doctor_disk
from gogooku3.recovery.pull import pull
from gogooku3.recovery.storage.lock import outputs
from gogooku3.recovery.storage.open import open_folder, open_remote

from .conftest import Toy

PARTS, CHILD, MODEL = "data/parts", "data/parts/deep/second.txt", "models/package/model.bin"


def make_folder(path: Path) -> None:
    path.mkdir()
    (path / "somebody's.txt").write_text("kept")


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        short = Path(f"/tmp/gogooku3-{os.getpid()}")  # the name of a socket has at most 107 bytes
        short.unlink(missing_ok=True)
        listener.bind(str(short))
        shutil.move(short, path)


KINDS: dict[str, tuple[Callable[[Path], None], str]] = {
    "folder": (make_folder, "it is a folder"),
    "empty folder": (Path.mkdir, "it is a folder"),
    "named pipe": (os.mkfifo, "it is a named pipe, a device or another special file"),
    "endless device": (
        lambda path: path.symlink_to("/dev/zero"),
        "it is a named pipe, a device or another special file",
    ),
    "socket": (make_socket, "it is a socket or a device"),
    "loop": (lambda path: path.symlink_to(path.name), "it is a loop of symbolic links"),
    "EIO": (lambda path: path.symlink_to("/proc/self/mem"), "Input/output error"),
}
"""What makes an object unreadable, and the reason that is reported."""


def place(store: Path, oid: str) -> Path:
    return store / "files/md5" / oid[:2] / oid[2:]


def make_unreadable(store: Path, oid: str, kind: str) -> None:
    place(store, oid).unlink()
    KINDS[kind][0](place(store, oid))


@pytest.fixture
def disk(toy: Toy, tmp_path: Path) -> Path:
    """A folder that is the toy repository's default remote, and complete."""
    folder = tmp_path / "disk"
    shutil.copytree(toy.folder / ".dvc/cache", folder, ignore=shutil.ignore_patterns("runs"))
    (toy.folder / ".dvc/config.local").unlink()
    toy.local("'remote \"store\"'", url=str(folder))
    return folder


@pytest.fixture
def cache(toy: Toy) -> Path:
    return toy.folder / ".dvc/cache"


@pytest.mark.parametrize(
    ("path", "kind", "local"),
    [
        *((MODEL, kind, True) for kind in KINDS),
        *((path, kind, True) for path in (CHILD, PARTS) for kind in ("folder", "EIO")),
        *((path, kind, False) for path in (MODEL, PARTS) for kind in ("folder", "named pipe", "EIO")),
    ],
)
def test_one_unreadable_object_is_a_finding_and_is_repaired(
    toy: Toy, disk: Path, cache: Path, path: str, kind: str, local: bool
) -> None:
    store, oid = (cache if local else disk), toy.object_of(path)
    content = place(store, oid).read_bytes()
    make_unreadable(store, oid, kind)
    [problem] = audit(toy.folder, [None], local=local).problems
    assert (problem.path, problem.object, problem.damage.kind) == (path, oid, "unreadable")
    assert problem.damage.reason == KINDS[kind][1]
    assert "`gogooku3 audit --repair`" in problem.damage.hint
    assert str(place(store, oid)) in problem.damage.hint or kind == "EIO"
    assert "gcloud" not in problem.damage.hint
    result = audit(toy.folder, [None], local=local, repair=True)
    assert (result.passed, [each.path for each in result.repaired]) == (True, [path])
    assert place(store, oid).read_bytes() == content
    assert not place(store, oid).is_symlink()
    moved = [file.read_text() for file in store.rglob("*.moved/*")]
    assert moved == (["kept"] if kind == "folder" else [])


@pytest.mark.parametrize("kind", ["folder", "named pipe", "EIO"])
def test_an_unreadable_copy_is_never_the_source_of_a_repair(toy: Toy, disk: Path, cache: Path, kind: str) -> None:
    lost, other = toy.object_of(MODEL), toy.object_of(CHILD)
    for oid in (lost, other):
        place(disk, oid).unlink()
    make_unreadable(cache, lost, kind)
    result = audit(toy.folder, [None], repair=True)
    assert [each.path for each in result.repaired] == [CHILD]
    [problem] = result.problems
    assert (problem.path, problem.damage.kind) == (MODEL, "missing")
    assert problem.note == f"unreadable in {cache}/files/md5: {KINDS[kind][1]}"
    assert problem.damage.hint


@pytest.mark.parametrize("kind", ["folder", "named pipe", "EIO"])
def test_a_pull_takes_the_copy_of_another_source(toy: Toy, disk: Path, cache: Path, tmp_path: Path, kind: str) -> None:
    """Unreadable in the cache and in the remote: the additional source has it."""
    before, oid = toy.outputs(), toy.object_of(MODEL)
    spare = tmp_path / "spare"
    shutil.copytree(disk, spare)
    for store in (cache, disk):
        make_unreadable(store, oid, kind)
    shutil.rmtree(toy.folder / "models")
    with pytest.raises(StoreError, match=f"`{MODEL}` .*: unreadable in {disk} ") as refused:
        pull(toy.folder, outputs(toy.folder, None))
    assert "train again" not in str(refused.value)
    fetched = pull(toy.folder, outputs(toy.folder, None), [spare])
    assert fetched.brought[str(spare)] == 1
    assert toy.outputs() == before


def test_a_file_in_the_place_of_a_folder_of_objects_is_repaired(toy: Toy, disk: Path) -> None:
    oid = toy.object_of(MODEL)
    folder = place(disk, oid).parent
    shutil.rmtree(folder)
    folder.write_text("kept")
    [problem] = audit(toy.folder, [None]).problems
    assert (problem.path, problem.damage.reason) == (MODEL, "its folder is a file")
    assert audit(toy.folder, [None], repair=True).passed
    assert folder.with_name(f"{folder.name}.moved").read_text() == "kept"


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_a_closed_file_is_a_finding_that_says_how_to_open_it(toy: Toy, disk: Path) -> None:
    place(disk, toy.object_of(MODEL)).chmod(0)
    [problem] = audit(toy.folder, [None]).problems
    assert (problem.path, problem.damage.reason) == (MODEL, "Permission denied")
    assert "chmod u+r" in problem.damage.hint


def test_a_disk_that_reads_nothing_is_one_error(toy: Toy, disk: Path) -> None:
    for file in [*(disk / "files/md5").glob("*/*")]:
        file.unlink()
        file.symlink_to("/proc/self/mem")
    with pytest.raises(StoreError, match=f"`{disk}` cannot be used: Input/output error") as refused:
        audit(toy.folder, [None])
    assert "gcloud" not in refused.value.hint


def test_folders_in_the_place_of_all_objects_are_findings(toy: Toy, disk: Path) -> None:
    """No disk fails in this way: somebody made them."""
    for file in [*(disk / "files/md5").glob("*/*")]:
        file.unlink()
        file.mkdir()
    result = audit(toy.folder, [None])
    assert {problem.damage.kind for problem in result.problems} == {"unreadable"}
    assert len(result.problems) == 6
    assert audit(toy.folder, [None], repair=True).passed


def test_a_folder_that_disappears_has_lost_nothing(toy: Toy, disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_remote(toy.folder)
    shutil.rmtree(disk)
    with pytest.raises(StoreError, match=f"`{disk}` does not exist"):
        store.connect()
    assert open_folder(disk).read("0" * 32) is None


@pytest.fixture
def run(toy: Toy, disk: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    monkeypatch.chdir(toy.folder)

    def invoke(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, arguments)
        return done.exit_code, done.stdout

    return invoke


def test_the_command_names_the_object_its_reason_and_a_remedy(toy: Toy, cache: Path, run) -> None:
    oid = toy.object_of(MODEL)
    make_unreadable(cache, oid, "folder")
    code, said = run("audit", "--local")
    assert code == 1
    assert f"`{MODEL}` ({oid}): it is a folder\nhint: look at it (`ls -ld {place(cache, oid)}`)" in said
    assert ": 1 unreadable\n" in said
    code, said = run("audit", "--local", "--json")
    assert (code, json.loads(said)["problems"][0]["damage"]["kind"]) == (1, "unreadable")


def test_a_cache_on_a_disk_that_is_not_mounted_is_named_by_every_verb(
    toy: Toy, cache: Path, run, tmp_path: Path
) -> None:
    shutil.rmtree(cache)
    cache.symlink_to(tmp_path / "unmounted")
    for verb in (("audit",), ("audit", "--local"), ("audit", "--gc-flags"), ("locate", MODEL)):
        assert run(*verb) == (7, ""), verb
    with pytest.raises(StoreError, match=f"`{cache}` is a link to `{tmp_path}/unmounted`, which does not exist"):
        doctor_disk(toy.folder)


@pytest.mark.parametrize("kind", ["folder", pytest.param("EIO", marks=pytest.mark.slow)])
def test_locate_restores_what_is_unreadable_in_the_cache(toy: Toy, cache: Path, run, kind: str) -> None:
    before, oid = toy.outputs(), toy.object_of(MODEL)
    make_unreadable(cache, oid, kind)
    (toy.folder / MODEL).unlink()
    code, said = run("locate", MODEL, "--json")
    assert code == 0
    assert json.loads(said)["cache"]["damage"] == {MODEL: "unreadable"}
    toy.run("bash", "-c", json.loads(said)["command"])
    assert toy.outputs() == before


@pytest.mark.parametrize("kind", ["folder", pytest.param("EIO", marks=pytest.mark.slow)])
def test_locate_restores_from_another_remote(toy: Toy, disk: Path, cache: Path, run, tmp_path: Path, kind: str) -> None:
    before, oid = toy.outputs(), toy.object_of(MODEL)
    shutil.copytree(disk, tmp_path / "spare")
    toy.local("'remote \"spare\"'", url=str(tmp_path / "spare"))
    for store in (cache, disk):
        make_unreadable(store, oid, kind)
    (toy.folder / MODEL).unlink()
    code, said = run("locate", MODEL, "--json")
    assert code == 0
    toy.run("bash", "-c", json.loads(said)["command"])
    assert toy.outputs() == before


def test_locate_does_not_remove_the_only_copy_that_may_be_intact(toy: Toy, disk: Path, cache: Path, run) -> None:
    oid = toy.object_of(MODEL)
    place(disk, oid).unlink()
    make_unreadable(cache, oid, "EIO")
    (toy.folder / MODEL).unlink()
    code, said = run("locate", MODEL, "--json")
    assert (code, json.loads(said)["command"]) == (1, "gogooku3 audit --local")
    place(cache, oid).unlink()
    place(disk, oid).symlink_to("/proc/self/mem")
    code, said = run("locate", MODEL, "--json")
    assert (code, json.loads(said)["command"]) == (1, "gogooku3 audit")


@pytest.mark.parametrize("kind", ["loop", "named pipe", "EIO"])
def test_locate_reports_what_is_unreadable_in_the_working_tree(toy: Toy, run, kind: str) -> None:
    (toy.folder / MODEL).unlink()
    KINDS[kind][0](toy.folder / MODEL)
    code, said = run("locate", MODEL, "--json")
    assert code == 0
    assert json.loads(said)["tree"]["damage"][MODEL] == ("unreadable" if kind == "EIO" else "altered")
