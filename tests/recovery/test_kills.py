"""A command that is killed at any moment leaves no corrupt files and no partial tags, and the next run completes."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gogooku3.recovery.audit import audit

MOMENTS = 20
"""Equal parts of a command's time; it is killed at a random moment of one of them."""

pytestmark = pytest.mark.slow
at_every_moment = pytest.mark.parametrize("moment", range(MOMENTS))

_took: dict[str, float] = {}

Start = Callable[[], tuple[Any, tuple[str, ...]]]
"""Prepares a folder and returns the command to run in it."""


def process(place: Any, command: tuple[str, ...]) -> subprocess.Popen[bytes]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": os.pathsep.join(sys.path)}
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=place, env=environment, stdout=quiet, stderr=quiet, start_new_session=True)


def kill_at(moment: int, start: Start) -> tuple[Any, tuple[str, ...]]:
    """Runs a command and kills it with its children; its undisturbed duration is measured once."""
    place, command = start()
    kind = " ".join(command[:3])
    if kind not in _took:
        began = time.monotonic()
        with process(place, command) as undisturbed:
            assert undisturbed.wait() == 0
        _took[kind] = time.monotonic() - began
        place, command = start()
    with process(place, command) as victim:
        time.sleep(_took[kind] * (moment + random.Random(moment).random()) / MOMENTS)
        os.killpg(victim.pid, signal.SIGKILL)
        victim.wait()
    return place, command


def finish(place: Any, command: tuple[str, ...]) -> None:
    with process(place, command) as again:
        assert again.wait() == 0, command


def bytes_under(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".gitignore")
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def many_objects(toy_source: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The toy repository with over a hundred objects in its directory, for a slow transfer."""
    copy = type(toy_source)(tmp_path_factory.mktemp("many_objects") / "toy")
    shutil.copytree(toy_source.folder, copy.folder, symlinks=True)
    pipeline = copy.folder / "dvc.yaml"
    many = "for i in $(seq 120); do echo $i > data/parts/$i.txt; done"
    pipeline.write_text(
        pipeline.read_text().replace("data/parts/constant.txt &&", f"data/parts/constant.txt && {many} &&")
    )
    copy.revise("many_objects")
    return copy


@pytest.fixture
def new_bucket(bucket: Any) -> Callable[[], Any]:
    """Makes new empty buckets: DVC would remember the objects of an emptied one."""
    number = count()

    def make() -> Any:
        made = type(bucket)(bucket.endpoint, f"{bucket.name}-{next(number)}")
        made.make()
        return made

    return make


@pytest.fixture
def start_many_objects(many_objects: Any, new_bucket: Callable[[], Any], tmp_path: Path) -> Callable[[], Any]:
    def start() -> Any:
        copy = type(many_objects)(tmp_path / "many_objects")
        shutil.rmtree(copy.folder, ignore_errors=True)
        shutil.copytree(many_objects.folder, copy.folder, symlinks=True)
        copy.point_at(new_bucket())
        return copy

    return start


@at_every_moment
def test_a_killed_push_leaves_a_bucket_that_a_repair_completes(
    moment: int, many_objects: Any, start_many_objects: Callable[[], Any], tmp_path: Path
) -> None:
    place, command = kill_at(moment, lambda: (start_many_objects().folder, ("dvc", "push")))
    finish(place, command)
    # DVC caches the partial list that it had when it was killed; the next push may take it for complete.
    assert audit(place, [None], deep=True, repair=True).passed
    fresh = type(many_objects)(place).clone(tmp_path / "fresh")
    fresh.run("dvc", "pull")
    assert fresh.outputs() == many_objects.outputs()


@at_every_moment
def test_a_killed_pull_leaves_a_clone_that_the_next_ones_complete(
    moment: int, many_objects: Any, start_many_objects: Callable[[], Any], tmp_path: Path
) -> None:
    source = start_many_objects()
    source.run("dvc", "push")

    def start() -> tuple[Path, tuple[str, ...]]:
        shutil.rmtree(tmp_path / "fresh", ignore_errors=True)
        return source.clone(tmp_path / "fresh").folder, ("dvc", "pull")

    place, command = kill_at(moment, start)
    with process(place, command) as again:
        whole = again.wait() == 0
    if not whole:  # DVC took the partial list from before the kill for complete, and reports missing files
        finish(place, command)
    assert type(many_objects)(place).outputs() == many_objects.outputs()
    assert audit(place, [None], local=True, deep=True).passed


@pytest.fixture
def start_lab(trained: Any, new_bucket: Callable[[], Any], tmp_path: Path) -> Callable[[], Any]:
    def start() -> Any:
        shutil.rmtree(tmp_path / "origin", ignore_errors=True)
        lab = trained.copy(tmp_path / "origin")
        bucket = new_bucket()
        settings = {"url": bucket.url, "endpointurl": bucket.endpoint, "allow_anonymous_login": "true"}
        lines = "".join(f"    {key} = {value}\n" for key, value in settings.items())
        (lab.folder / ".dvc/config.local").write_text(f"['remote \"store\"']\n{lines}")
        return lab

    return start


@at_every_moment
@pytest.mark.parametrize("remote", [False, True], ids=["local", "Git remote"])
def test_a_killed_promotion_leaves_no_tag_or_all(moment: int, remote: bool, start_lab: Callable[[], Any]) -> None:
    """With a Git remote, it has both tags or none, and the next promotion fetches or makes them."""

    def start() -> tuple[Path, tuple[str, ...]]:
        lab = start_lab()
        if remote:
            lab.run("git", "clone", "--quiet", "--bare", str(lab.folder), str(server))
            lab.run("git", "remote", "add", "origin", str(server))
        return lab.folder, ("gogooku3", "promote", *(() if remote else ("--no-push",)), "tier1")

    lab = start_lab()
    server = lab.folder.parent / "server.git"
    _, command = kill_at(moment, start)
    both = {"tier1@v1.0.0", "tier1#best#1"}
    decisive = server if remote else lab.folder
    made = set(lab.run("git", "tag", cwd=decisive).stdout.split())
    assert made in (set(), both)
    assert lab.tags() <= made
    with process(lab.folder, command) as again:
        assert again.wait() == (1 if made else 0), "a released commit is refused, after the tags were fetched"
    assert lab.tags() == set(lab.run("git", "tag", cwd=decisive).stdout.split()) == both
    assert audit(lab.folder, ["tier1@v1.0.0"], deep=True).passed


@at_every_moment
def test_a_killed_recovery_is_completed_by_the_next(moment: int, start_lab: Callable[[], Any], tmp_path: Path) -> None:
    lab = start_lab()
    lab.run("gogooku3", "promote", "tier1")
    place = tmp_path / "elsewhere"

    def start() -> tuple[Path, tuple[str, ...]]:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        settings = ("--settings", str(lab.folder / ".dvc/config.local"))
        return place, ("gogooku3", "recover", "tier1", "--from", str(lab.folder), "--to", "back", *settings, "--data")

    _, command = kill_at(moment, start)
    finish(place, command)
    assert [path.name for path in place.iterdir()] == ["back"]
    for folder in ("data", "models"):
        assert bytes_under(place / "back" / folder) == bytes_under(lab.folder / folder)
    assert audit(place / "back", [None], local=True, deep=True).passed


@at_every_moment
def test_a_killed_archive_does_not_exist_or_is_complete(
    moment: int, start_lab: Callable[[], Any], tmp_path: Path
) -> None:
    lab = start_lab()
    lab.run("gogooku3", "promote", "tier1")
    file = tmp_path / "kept/tier1.tar"

    def start() -> tuple[Path, tuple[str, ...]]:
        shutil.rmtree(file.parent, ignore_errors=True)
        file.parent.mkdir()
        return lab.folder, ("gogooku3", "archive", "create", "tier1", "--output", str(file))

    _, command = kill_at(moment, start)
    if not file.exists():
        finish(lab.folder, command)
    assert [path.name for path in file.parent.iterdir()] == ["tier1.tar"]
    lab.run("gogooku3", "archive", "list", str(file), "--check")


@at_every_moment
def test_a_killed_restore_is_completed_by_the_next(moment: int, start_lab: Callable[[], Any], tmp_path: Path) -> None:
    lab = start_lab()
    lab.run("gogooku3", "promote", "tier1")
    file, place = tmp_path / "tier1.tar", tmp_path / "elsewhere"
    lab.run("gogooku3", "archive", "create", "tier1", "--output", str(file))

    def start() -> tuple[Path, tuple[str, ...]]:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        return place, ("gogooku3", "archive", "restore", str(file), "--to", "back")

    _, command = kill_at(moment, start)
    if not (place / "back").exists():
        finish(place, command)
    assert [path.name for path in place.iterdir()] == ["back"]
    assert bytes_under(place / "back/models") == bytes_under(lab.folder / "models")


def test_two_pushes_at_once_are_both_right(
    many_objects: Any, start_many_objects: Callable[[], Any], tmp_path: Path
) -> None:
    first = start_many_objects()
    second = type(many_objects)(tmp_path / "second")
    shutil.copytree(first.folder, second.folder, symlinks=True)
    with process(first.folder, ("dvc", "push")) as one, process(second.folder, ("dvc", "push")) as two:
        assert (one.wait(), two.wait()) == (0, 0)
    assert audit(first.folder, [None], deep=True).passed


def test_two_pulls_at_once_are_both_right(
    many_objects: Any, start_many_objects: Callable[[], Any], tmp_path: Path
) -> None:
    source = start_many_objects()
    source.run("dvc", "push")
    shared = tmp_path / "shared"
    clones = [source.clone(tmp_path / name) for name in ("one", "two")]
    for clone in clones:
        clone.local("cache", dir=str(shared))
    with process(clones[0].folder, ("dvc", "pull")) as one, process(clones[1].folder, ("dvc", "pull")) as two:
        assert (one.wait(), two.wait()) == (0, 0)
    for clone in clones:
        assert clone.outputs() == many_objects.outputs()
        assert audit(clone.folder, [None], local=True, deep=True).passed
