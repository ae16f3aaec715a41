"""Two processes of one verb at once: in one clone, with one bucket, and into one folder or file."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gogooku3.errors import RefusedError
from gogooku3.recovery.promote import promote

from ..conftest import KINDS, Bucket
from ..meeting import Ended, meet, offsets
from .conftest import Toy
from .lab import Lab

pytestmark = pytest.mark.slow
BOTH = {"tier1@v1.0.0", "tier1#best#1"}


def refused(ended: list[Ended], *reasons: str) -> None:
    """One of two processes has done its work, and the other says that the first runs, or has just done it."""
    [done, other] = sorted(ended, key=lambda each: each.code)
    assert (done.code, other.code) == (0, 1), ended
    assert any(reason.format(pid=done.pid) in other.errors for reason in reasons), other.errors


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("remote", [False, True], ids=["local", "Git remote"])
def test_of_two_promotions_in_one_clone_one_is_refused(lab: Lab, remote: bool, tmp_path: Path) -> None:
    for number, delays in enumerate(offsets(2, 2.0)):
        copy = lab.copy(tmp_path / str(number))
        if remote:
            copy.run("git", "clone", "--quiet", "--bare", str(copy.folder), "../server.git")
            copy.run("git", "remote", "add", "origin", "../server.git")
        before = names(copy.folder / ".git")
        ended = meet(("promote", "tier1"), folders=[copy.folder] * 2, delays=delays, loaded="gogooku3.recovery.promote")
        refused(
            ended,
            "another `gogooku3 promote` is running in this repository (process {pid})",
            "this commit is already released as `tier1@v1.0.0`",
        )
        assert copy.tags() == BOTH
        assert names(copy.folder / ".git") <= before | {"packed-refs"}


@pytest.mark.parametrize("place", ["folder", "bucket", "cache"])
def test_two_repairs_at_once_are_both_right(lab: Lab, bucket: Bucket, place: str) -> None:
    if place == "bucket":
        access = {"url": bucket.url, "endpointurl": bucket.endpoint, "allow_anonymous_login": "true"}
        lines = "".join(f"    {key} = {value}\n" for key, value in access.items())
        (lab.folder / ".dvc/config.local").write_text(f"['remote \"store\"']\n{lines}")
    lab.run("dvc", "push", "--quiet")
    store = lab.bucket if place == "folder" else lab.folder / ".dvc/cache/files"
    files = [path for path in store.rglob("*") if path.is_file()] if place != "bucket" else []
    contents = {path: path.read_bytes() for path in files}
    kept = bucket.contents() if place == "bucket" else {}
    for number, delays in enumerate(offsets(2, 1.0)):
        spoil = KINDS["altered" if number else "truncated"]
        for path, content in contents.items():
            path.unlink()
            path.write_bytes(spoil(content))
        for name, content in kept.items():
            bucket.write(name, spoil(content))
        command = ("audit", "--repair", "--deep", *(["--local"] if place == "cache" else []))
        ended = meet(command, folders=[lab.folder] * 2, delays=delays, loaded="gogooku3.recovery.audit")
        assert [each.code for each in ended] == [0, 0], ended
        if contents:
            assert {path: path.read_bytes() for path in store.rglob("*") if path.is_file()} == contents
        assert (bucket.contents() if kept else {}) == kept


@pytest.fixture
def released(lab: Lab) -> Lab:
    promote(lab.folder, "tier1")
    return lab


def test_of_two_recoveries_into_one_folder_one_is_refused_or_finds_it_done(released: Lab, tmp_path: Path) -> None:
    settings = tmp_path / "settings"
    settings.write_text(f"['remote \"store\"']\n    url = {released.bucket}\n")
    for number, delays in enumerate(offsets(2, 3.0)):
        place = tmp_path / f"place-{number}"
        place.mkdir()
        command = ("recover", "tier1", "--from", str(released.folder), "--to", "back", "--settings", str(settings))
        ended = meet(command, folders=[place] * 2, delays=delays, loaded="gogooku3.recovery.recover")
        if [each.code for each in ended] != [0, 0]:
            refused(ended, "another recovery into `back` is running (process {pid})")
        assert names(place) == {"back"}
        model = "models/package/model.safetensors"
        assert (place / "back" / model).read_bytes() == (released.folder / model).read_bytes()


def test_of_two_reproductions_in_one_folder_one_is_refused(released: Lab, tmp_path: Path) -> None:
    for number, delays in enumerate(offsets(2, 2.0)):
        command = ("reproduce", "tier1", "--to", str(tmp_path / f"back-{number}"))
        ended = meet(command, folders=[released.folder] * 2, delays=delays, loaded="gogooku3.recovery.reproduce")
        refused(ended, f"another recovery into `{command[-1]}` is running (process {{pid}})")
    assert {"back-0", "back-1"} <= names(tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_two_reproductions_in_different_folders_are_both_right(released: Lab, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    commands = (("reproduce", "tier1", "--to", str(tmp_path / "one")), ("reproduce", "tier1"))
    ended = meet(*commands, folders=[released.folder] * 2, loaded="gogooku3.recovery.reproduce", TMPDIR=str(temporary))
    assert [each.code for each in ended] == [0, 0], ended
    assert names(temporary) == set()


def test_two_drills_at_once_write_the_report_of_one(lab: Lab, tmp_path: Path) -> None:
    """The release cannot be installed, because it has no project, which each of the two reports."""
    (lab.folder / "requirements.lock").write_text("")
    lab.commit("No libraries")
    promote(lab.folder, "tier1")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    ended = meet(
        ("drill", "tier1", "--json"),
        folders=[lab.folder] * 2,
        delays=(0.0, 0.3),
        loaded="gogooku3.recovery.drill",
        TMPDIR=str(temporary),
    )
    assert [each.code for each in ended] == [1, 1], ended
    assert names(lab.folder / "logs") == {"drill.md", "drill.json"}
    written = (lab.folder / "logs/drill.json").read_text()
    assert json.loads(written) in [json.loads(each.output) for each in ended]
    seconds = re.findall(r"^\| tier1@v1\.0\.0 \|.*$", (lab.folder / "logs/drill.md").read_text(), re.MULTILINE)
    steps = json.loads(written)["rehearsals"][0]["steps"]
    assert f"{sum(step['seconds'] for step in steps):.1f}" in seconds[0], "both files are of one drill"
    assert names(temporary) == set()


@pytest.mark.parametrize("place", ["folder", "bucket"])
def test_two_pushes_of_the_run_cache_are_both_right(toy: Toy, bucket: Bucket, place: str, tmp_path: Path) -> None:
    """DVC's own command: from two clones to one remote; in one clone it refuses the second with its lock."""
    if place == "folder":
        (toy.folder / ".dvc/config.local").write_text(f"['remote \"store\"']\n    url = {tmp_path / 'store'}\n")
    for level in range(10):
        (toy.folder / "seed.txt").write_text(f"{level}\n")
        toy.run("dvc", "repro", "--quiet")
    copy = Toy(tmp_path / "copy")
    shutil.copytree(toy.folder, copy.folder, symlinks=True)
    push = [sys.executable, "-m", "dvc", "push", "--run-cache", "--quiet"]
    for clones in ((toy, copy), (toy, toy)):
        both = [subprocess.Popen(push, cwd=each.folder, stderr=subprocess.PIPE, text=True) for each in clones]
        errors = [process.communicate()[1] for process in both]
        codes = sorted(process.returncode for process in both)
        assert codes == [0, 0] or (clones[1] is toy and codes == [0, 255]), errors
        assert codes == [0, 0] or "Unable to acquire lock" in "".join(errors)
    runs = {path.name: path.read_bytes() for path in (toy.folder / ".dvc/cache/runs").rglob("*") if path.is_file()}
    pushed = {Path(name).name: content for name, content in bucket.contents().items() if "/runs/" in name}
    if place == "folder":
        pushed = {path.name: path.read_bytes() for path in (tmp_path / "store/runs").rglob("*") if path.is_file()}
    assert pushed == runs
    assert len(runs) >= 10


@pytest.mark.parametrize(
    ("command", "target"),
    [
        (("report", "tier1@v1.0.0", "HEAD", "--output", "made/page.html"), "made/page.html"),
        (("leaderboard",), "docs/leaderboard.md"),
        (("experiments",), "docs/register.md"),
        (("export", "--output", "made/exported"), "made/exported"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_two_that_write_one_page_or_folder_leave_a_complete_one(
    released: Lab, command: tuple[str, ...], target: str
) -> None:
    file = released.folder / target
    once = meet(command, folders=[released.folder])[0]
    assert once.code == 0, once
    expected = {path.relative_to(file): path.read_bytes() for path in (file, *file.rglob("*")) if path.is_file()}
    file.unlink() if file.is_file() else shutil.rmtree(file)
    ended = meet(command, folders=[released.folder] * 2)
    if command[0] == "export":
        refused(ended, "`made/exported` exists and is not empty")
    else:
        assert [each.code for each in ended] == [0, 0], ended
    assert {p.relative_to(file): p.read_bytes() for p in (file, *file.rglob("*")) if p.is_file()} == expected
    assert not [path for path in file.parent.iterdir() if path.name.startswith(".")]


def test_a_running_dvc_command_is_named(released: Lab, tmp_path: Path) -> None:
    released.train(2, 0.06)
    script = "import sys; from dvc.repo import Repo; Repo().lock.lock(); print('locked', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=released.folder, stdin=-1, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(RefusedError, match=r"another DVC command is running in `.*lab`") as raised:
            promote(released.folder, "tier1")
        holder.communicate()
    assert "gogooku3 doctor" in raised.value.hint
    assert promote(released.folder, "tier1").tags == ("tier1@v1.1.0", "tier1#best#2")
