"""`promote` takes its numbers from the Git remote and publishes its tags there: both or neither."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gogooku3.errors import GitError, RefusedError
from gogooku3.recovery.promote import promote
from gogooku3.recovery.releases import git, tag_objects, tags
from gogooku3.recovery.releases.new_tags import finish_stage_tags

from ..meeting import meet, offsets
from .lab import Lab

BOTH = {"tier1@v1.0.0", "tier1#best#1"}
COMMAND = [sys.executable, "-c", "from gogooku3.cli.promote import promote; promote()", "tier1"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}


def objects(repository: Path) -> dict[str, str]:
    """The hashes of a repository's tags by name."""
    form = "--format=%(refname:strip=2) %(objectname)"
    lines = git.run(repository, "for-each-ref", "refs/tags", form, settings={"safe.bareRepository": "all"}).splitlines()
    return dict(line.split() for line in lines)


@pytest.fixture(scope="module")
def pair(trained: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bare repository `server.git`, and two clones of it with one bucket; the rival's model is better.

    In `mine` and `rival` each, the bucket is `bucket`, a link to one folder.
    """
    folder = tmp_path_factory.mktemp("pair")
    mine = trained.copy(folder / "mine")
    mine.bucket.rename(folder / "bucket")
    mine.bucket.symlink_to("../bucket")
    mine.run("git", "clone", "--quiet", "--bare", str(mine.folder), str(folder / "server.git"))
    mine.run("git", "remote", "add", "origin", "../../server.git")
    mine.run("cp", "-a", str(folder / "mine"), str(folder / "rival"))
    Lab(folder / "rival/lab", trained.make).train(2, 0.06)
    return folder


@pytest.fixture
def place(pair: Path, tmp_path: Path) -> Path:
    subprocess.run(["cp", "-a", str(pair), str(tmp_path / "place")], check=True)
    return tmp_path / "place"


@pytest.fixture
def server(place: Path) -> Path:
    return place / "server.git"


@pytest.fixture
def mine(place: Path, training: Any) -> Lab:
    return Lab(place / "mine/lab", training)


@pytest.fixture
def rival(place: Path, training: Any) -> Lab:
    return Lab(place / "rival/lab", training)


@pytest.mark.slow
def test_of_two_clones_the_second_takes_the_next_number_and_compares_with_the_first(
    mine: Lab, rival: Lab, server: Path
) -> None:
    made = promote(mine.folder, "tier1")
    assert (made.tags, made.remote) == (("tier1@v1.0.0", "tier1#best#1"), "origin")
    assert objects(server) == objects(mine.folder)
    with pytest.raises(RefusedError, match="already released as") as refused:
        promote(mine.folder, "tier1")
    assert "it is published" in refused.value.hint

    made = promote(rival.folder, "tier1")
    assert made.tags == ("tier1@v1.1.0", "tier1#best#2")
    assert made.record.compared_with is not None
    assert made.record.compared_with.tag == "tier1@v1.0.0"
    assert objects(server) == objects(rival.folder)
    assert objects(mine.folder).items() < objects(server).items()


@pytest.mark.slow
def test_who_is_slower_changes_nothing_and_the_next_run_takes_the_next_number(
    mine: Lab, rival: Lab, server: Path
) -> None:
    def meanwhile(step: str) -> None:
        if step == "bucket":
            promote(rival.folder, "tier1")

    with pytest.raises(RefusedError, match=r"`tier1@v1\.0\.0`, `tier1#best#1` was published on `origin`") as refused:
        promote(mine.folder, "tier1", progress=meanwhile)
    assert refused.value.exit_code == 1
    assert "the same command again" in refused.value.hint
    assert mine.tags() == set()
    assert objects(server) == objects(rival.folder)
    with pytest.raises(RefusedError, match=r"the best of `tier1`, `tier1@v1\.0\.0`, has 0\.065"):
        promote(mine.folder, "tier1")
    assert promote(mine.folder, "tier1", despite_worse="for the test").tags == ("tier1@v1.1.0",)
    assert set(objects(server)) == BOTH | {"tier1@v1.1.0"}


@pytest.mark.slow
@pytest.mark.parametrize("delays", offsets(3, 1.0))
def test_two_at_the_same_time_never_share_a_number(
    mine: Lab, rival: Lab, server: Path, delays: tuple[float, float]
) -> None:
    clones = (mine, rival)
    folders = [each.folder for each in clones]
    ended = meet(("promote", "tier1"), folders=folders, delays=delays, loaded="gogooku3.recovery.promote")
    assert {each.code for each in ended} <= {0, 1}, ended
    assert 0 in {each.code for each in ended}, ended
    for each, end in zip(clones, ended, strict=True):
        assert objects(each.folder).items() <= objects(server).items()
        commit = git.commit_of(each.folder, "HEAD")
        published = [tag for tag in tag_objects.annotated_tags(each.folder) if tag.name in objects(server)]
        assert any(tag.commit == commit for tag in published) == (end.code == 0)


def test_an_unreachable_remote_ends_it_before_the_checks(mine: Lab, server: Path) -> None:
    server.rename(server.parent / "moved.git")
    steps: list[str] = []
    with pytest.raises(GitError, match="the tags of the Git remote `origin` cannot be read") as failed:
        promote(mine.folder, "tier1", progress=steps.append)
    assert steps == ["tree, parameters and tags", "tags of the Git remote `origin`"]
    assert "--no-push" in failed.value.hint
    assert mine.tags() == set()


def test_a_published_version_without_its_stage_tag_is_completed_there(mine: Lab, rival: Lab, server: Path) -> None:
    promote(mine.folder, "tier1")
    before = objects(mine.folder)
    mine.run("git", "push", "--quiet", "--delete", "origin", "tier1#best#1")
    with pytest.raises(RefusedError, match="the working tree differs"):
        (rival.folder / "params.yaml").write_text("")
        promote(rival.folder, "tier1")
    rival.run("git", "checkout", "--quiet", "params.yaml")
    promote(rival.folder, "tier1")
    assert before.items() < objects(server).items()
    assert finish_stage_tags(mine.folder, "tier1") == []


@pytest.mark.slow
def test_a_number_that_was_taken_while_tags_were_local_is_given_up_by_the_hints_command(
    mine: Lab, rival: Lab, server: Path
) -> None:
    promote(rival.folder, "tier1", push=False)
    promote(mine.folder, "tier1")
    before = objects(rival.folder)
    with pytest.raises(RefusedError, match=r"`tier1#best#1`, `tier1@v1\.0\.0` on the Git remote `origin`") as refused:
        promote(rival.folder, "tier1")
    assert objects(rival.folder) == before
    command = re.search(r"`(git tag --delete .*?)`", refused.value.hint)
    assert command is not None
    subprocess.run(command[1], shell=True, cwd=rival.folder, check=True)
    assert promote(rival.folder, "tier1").tags == ("tier1@v1.1.0", "tier1#best#2")
    assert objects(server) == objects(rival.folder)


@pytest.mark.slow
def test_without_push_the_tags_are_local_and_the_printed_command_publishes_both(mine: Lab, server: Path) -> None:
    command = [*COMMAND, "--no-push"]
    done = subprocess.run(command, cwd=mine.folder, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert "Git remote" not in done.stdout + done.stderr
    assert (mine.tags(), objects(server)) == (BOTH, {})
    with pytest.raises(RefusedError, match="already released as") as refused:
        promote(mine.folder, "tier1")
    printed = re.search(r"^publish: `(git push --atomic .*)`$", done.stdout, re.MULTILINE)
    assert printed is not None
    assert printed[1] in refused.value.hint
    subprocess.run(printed[1], shell=True, cwd=mine.folder, check=True, capture_output=True)
    assert objects(server) == objects(mine.folder)


@pytest.mark.slow
def test_a_new_best_is_later_than_the_former_whose_clock_was_ahead(
    mine: Lab, rival: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ahead = int(git.run(mine.folder, "log", "-1", "--format=%ct")) + 40_000_000
    monkeypatch.setenv("GIT_COMMITTER_DATE", f"{ahead} +0900")
    promote(mine.folder, "tier1")
    monkeypatch.delenv("GIT_COMMITTER_DATE")
    promote(rival.folder, "tier1")
    times = {tag.name: tag.time for tag in tag_objects.annotated_tags(rival.folder)}
    assert times["tier1@v1.1.0"] == times["tier1#best#2"] == ahead + 1
    best = tags.read(rival.folder).best("tier1")
    assert best is not None
    assert best.tag.name == "tier1@v1.1.0"
    assert rival.run("gto", "show", "tier1#best", "--ref").stdout.strip() == "tier1@v1.1.0"
    rival.run("dvc", "artifacts", "get", str(rival.folder), "tier1", "--stage", "best", "-o", str(tmp_path / "got"))
    name = "model.safetensors"
    assert (tmp_path / "got" / name).read_bytes() == (rival.folder / "models/package" / name).read_bytes()


@pytest.mark.slow
def test_a_revoked_version_keeps_its_commit_and_its_trials(lab: Lab) -> None:
    """GTO fails on a commit with two versions of one tier, even if one of them is revoked."""
    head = git.commit_of(lab.folder, "HEAD")
    names = {seed: f"refs/exps/{head[:2]}/{head[2:]}/trial-{seed}" for seed in (3, 4)}
    for seed, name in names.items():
        git.run(lab.folder, "update-ref", name, lab.train(seed, seed / 100))
        git.run(lab.folder, "reset", "--quiet", "--hard", head)
    lab.run("dvc", "checkout", "--quiet", "--force")
    assert promote(lab.folder, "tier1").record.trials == 3
    for name in names.values():
        git.run(lab.folder, "update-ref", "-d", name)
    lab.run("gto", "deprecate", "tier1", "v1.0.0")
    with pytest.raises(RefusedError, match=r"already released as `tier1@v1\.0\.0`") as refused:
        promote(lab.folder, "tier1")
    assert "was revoked" in refused.value.hint
    lab.train(5, 0.01)
    made = promote(lab.folder, "tier1")
    assert made.record.trials == 3
    assert made.tags == ("tier1@v1.1.0", "tier1#best#2")
    assert lab.run("gto", "show", "tier1#best", "--ref").stdout.strip() == "tier1@v1.1.0"
