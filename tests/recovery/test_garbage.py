"""`dvc gc` deletes the objects of tags, unless it has the flags that `audit --gc-flags` prints."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gogooku3.cli import main
from gogooku3.errors import DataError, RefusedError
from gogooku3.recovery.audit import audit
from gogooku3.recovery.garbage import FLAGS, protect_tags
from gogooku3.recovery.storage.lock import locked_tags

TAGS = ["toy@v1.0.0", "toy@v2.0.0"]


@pytest.fixture(scope="module")
def grown_source(toy_source: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The toy repository with two tags, a branch, an experiment and another commit; its remote is a folder.

    The working tree is at a commit without a tag, so that only the flags keep the tags' objects.
    """
    folder = tmp_path_factory.mktemp("grown")
    toy = type(toy_source)(folder / "toy")
    shutil.copytree(toy_source.folder, toy.folder, symlinks=True)
    (folder / "bucket").mkdir()
    toy.local("core", site_cache_dir=str(folder / "site"))
    settings = toy.folder / ".dvc/config"
    settings.write_text(settings.read_text().replace("gs://elsewhere/store", "../../bucket"))
    toy.run("git", "tag", "--delete", "toy@v1.0.0")
    toy.commit("A folder is the remote", tag="toy@v1.0.0")
    toy.run("dvc", "push", "--quiet")
    for name in ("tag", "branch", "experiment", "nothing", "now"):
        toy.revise(name, tag="toy@v2.0.0" if name == "tag" else None)
        toy.run("dvc", "push", "--quiet")
        if name == "branch":
            toy.run("git", "branch", "side")
        elif name == "experiment":
            base = toy.run("git", "rev-parse", "HEAD~").stdout.strip()
            toy.run("git", "update-ref", f"refs/exps/{base[:2]}/{base[2:]}/one", "HEAD")
    empty = toy.run("git", "commit-tree", "-m", "before", toy.run("git", "mktree").stdout.strip()).stdout.strip()
    toy.run("git", "tag", "before-dvc", empty)
    return toy


@pytest.fixture
def grown(grown_source: Any, tmp_path: Path) -> Any:
    """A copy of the grown repository and its remote."""
    shutil.copytree(grown_source.folder.parent, tmp_path / "place", symlinks=True)
    return type(grown_source)(tmp_path / "place/toy")


@pytest.fixture
def run(grown: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`gogooku3 audit …` in the grown repository."""
    monkeypatch.chdir(grown.folder)
    return lambda *arguments: CliRunner().invoke(main, ["audit", *arguments])


def intact(grown: Any, *revs: str, local: bool) -> bool:
    return audit(grown.folder, revs, local=local, deep=True).passed


def collect(grown: Any, *flags: str) -> None:
    grown.run("dvc", "gc", "--force", *flags)


@pytest.mark.slow
@pytest.mark.parametrize("flags", [("--workspace",), ("--all-branches",), ("--all-experiments",)], ids="".join)
def test_without_the_flags_it_deletes_the_objects_of_tags(grown: Any, flags: tuple[str, ...]) -> None:
    assert locked_tags(grown.folder) == TAGS
    assert intact(grown, *TAGS, local=False)
    collect(grown, *flags, "--cloud")
    assert not intact(grown, *TAGS, local=False)
    assert not intact(grown, *TAGS, local=True)


@pytest.mark.slow
def test_with_the_flags_it_keeps_every_tag_branch_and_experiment_and_nothing_else(
    grown: Any, run: Callable[..., Result]
) -> None:
    done = run("--gc-flags")
    assert done.exit_code == 0, done.output
    assert done.stdout.split() == [*FLAGS]
    assert "all intact" in done.stderr
    collect(grown, *done.stdout.split(), "--cloud")
    for local in (False, True):
        assert intact(grown, *TAGS, "side", grown.run("git", "rev-parse", "HEAD~2").stdout.strip(), local=local)
        assert not intact(grown, "HEAD~", local=local)
    assert run("--all-tags").exit_code == 0


@pytest.mark.slow
def test_the_command_of_the_help_cleans_the_cache_alone(grown: Any) -> None:
    command = 'dvc gc $(python -c "from gogooku3.cli import main; main()" audit --gc-flags) --force'
    grown.run("env", f"PYTHONPATH={Path(__file__).parents[2] / 'src'}", "bash", "-euc", command)
    assert intact(grown, *TAGS, local=True)
    assert not intact(grown, "HEAD~", local=True)
    assert intact(grown, *TAGS, "HEAD~", local=False)


@pytest.mark.slow
def test_in_a_clone_with_an_empty_cache_the_listings_are_fetched_first(grown: Any) -> None:
    """`dvc gc --force` deletes the files of a directory whose listing it cannot read or fetch: at a tag, DVC takes
    the relative path of a committed remote for another folder."""
    spoiled = type(grown)(grown.folder.parent / "copy/toy")
    shutil.copytree(grown.folder.parent, spoiled.folder.parent, ignore=shutil.ignore_patterns("copy"), symlinks=True)
    for each in (grown, spoiled):
        shutil.rmtree(each.folder / ".dvc/cache")
    collect(spoiled, *FLAGS, "--cloud")
    assert not intact(spoiled, *TAGS, local=False)
    assert protect_tags(grown.folder, deep=False, progress=lambda *_: None).passed
    collect(grown, *FLAGS, "--cloud")
    assert intact(grown, *TAGS, local=False)


@pytest.mark.slow
def test_a_bucket_that_lacks_an_object_prints_no_flags(grown: Any, run: Callable[..., Result]) -> None:
    lost = grown.object_of("models/package/model.bin")
    grown.run("git", "tag", "toy@v3.0.0")
    (grown.folder.parent / "bucket/files/md5" / lost[:2] / lost[2:]).unlink()
    done = run("--gc-flags")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "1 damaged" in done.stderr
    assert "audit --gc-flags" in run("--all-tags").stderr
    empty = grown.run("bash", "-c", "dvc gc --force --cloud $(exit 1)", check=False)
    assert empty.returncode != 0
    assert intact(grown, *TAGS, local=False)


@pytest.fixture
def server(grown: Any) -> Path:
    """The Git remote of the grown repository, with its tags."""
    path = grown.folder.parent / "server.git"
    grown.run("git", "clone", "--quiet", "--bare", str(grown.folder), str(path))
    grown.run("git", "remote", "add", "origin", str(path))
    return Path(path)


@pytest.mark.slow
def test_tags_that_only_the_git_remote_has_are_fetched_first(grown: Any, server: Path) -> None:
    assert protect_tags(grown.folder, deep=False, progress=lambda *_: None).passed
    grown.run("git", "tag", "--delete", "toy@v1.0.0")
    grown.run("git", "tag", "--force", "toy@v2.0.0", "HEAD")
    with pytest.raises(RefusedError, match=r"has other tags than this clone: toy@v1\.0\.0, toy@v2\.0\.0;") as refused:
        protect_tags(grown.folder, deep=False, progress=lambda *_: None)
    command = re.match(r"`(.*?)`", refused.value.hint)
    assert command is not None
    subprocess.run(command[1], shell=True, cwd=grown.folder, check=True, capture_output=True)
    assert protect_tags(grown.folder, deep=False, progress=lambda *_: None).passed


def test_tags_of_files_are_refused_as_dvc_gc_ends_with_an_error(toy: Any) -> None:
    toy.run("git", "tag", "a-file", "HEAD:dvc.yaml")
    toy.run("git", "tag", "--annotate", "--message", "A folder", "a-folder", "HEAD:data")
    assert toy.run("dvc", "gc", *FLAGS, "--force", check=False).returncode != 0
    with pytest.raises(RefusedError, match="a-file, a-folder") as refused:
        protect_tags(toy.folder, deep=False, progress=lambda *_: None)
    assert "`git tag --delete a-file a-folder`" in refused.value.hint


def test_without_a_tag_there_is_nothing_to_keep(toy: Any) -> None:
    toy.run("git", "tag", "--delete", "toy@v1.0.0")
    with pytest.raises(DataError, match="no tag has") as error:
        protect_tags(toy.folder, deep=False, progress=lambda *_: None)
    assert "dvc gc --all-commits" in error.value.hint


@pytest.mark.parametrize("others", [("HEAD",), ("--local",), ("--repair",), ("--json",)])
def test_other_options_are_refused(others: tuple[str, ...]) -> None:
    done = CliRunner().invoke(main, ["audit", "--gc-flags", *others])
    assert (done.exit_code, done.stdout) == (2, "")
