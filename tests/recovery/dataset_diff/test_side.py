"""Revisions: only files that differ are fetched, from the cache or the remotes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from gogooku3.cli import main
from gogooku3.errors import DataError, GitError, StoreError
from gogooku3.recovery.dataset_diff.compare import DatasetDiff, dataset_diff
from gogooku3.recovery.dataset_diff.month import Month, Rows

from .conftest import Made, put, replace_bytes

FEBRUARY = "features/2024-02.parquet"


@dataclass(frozen=True)
class Clone:
    """A repository with datasets recorded by the real DVC, and its remote."""

    folder: Path
    remote: Path

    def run(self, *command: str) -> str:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            command, cwd=self.folder, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def record(self, dataset: Made, tag: str) -> None:
        dataset.write(self.folder / "data/dataset")
        self.run("dvc", "add", "--quiet", "data/dataset")
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", tag)
        self.run("git", "tag", tag)
        self.run("dvc", "push", "--quiet")

    def stored(self, name: str) -> Path:
        """The remote's object of a file of the dataset in the working tree."""
        oid = hashlib.md5((self.folder / "data/dataset" / name).read_bytes()).hexdigest()
        return self.remote / "files/md5" / oid[:2] / oid[2:]

    def diff(self, old: str, new: str = "workspace") -> DatasetDiff:
        return dataset_diff(self.folder, old, new)


@pytest.fixture(scope="module")
def recorded(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Datasets tagged `before` and `after`, which differ in one value of February; pushed. To be copied."""
    base = tmp_path_factory.mktemp("recorded")
    clone = Clone(base / "clone", base / "remote")
    clone.folder.mkdir(), clone.remote.mkdir()
    clone.run("git", "init", "--quiet")
    clone.run("git", "config", "user.name", "Test")
    clone.run("git", "config", "user.email", "test@example.com")
    clone.run("git", "commit", "--quiet", "--allow-empty", "--message", "Nothing")
    clone.run("git", "tag", "nothing")
    clone.run("dvc", "init", "--quiet")
    clone.run("dvc", "remote", "add", "--default", "store", "../remote")
    clone.record(made, "before")
    clone.record(made.with_frame(FEBRUARY, put("feature_1", 3, 7.0)), "after")
    return clone


@pytest.fixture
def clone(recorded: Clone, tmp_path: Path) -> Clone:
    """A copy with an empty cache and `after` in its working tree."""
    shutil.copytree(recorded.folder.parent, tmp_path / "copy", symlinks=True)
    copy = Clone(tmp_path / "copy/clone", tmp_path / "copy/remote")
    shutil.rmtree(copy.folder / ".dvc/cache")
    return copy


def one_value_of_february(found: DatasetDiff) -> bool:
    changed = [month for of_kind in found.months for month in of_kind.changed]
    return changed == [Month("2024-02", None, None, {"feature_1": Rows(1, "2024-02-02", "1301")})]


def test_two_revisions_a_revision_and_the_working_tree_and_a_folder(clone: Clone) -> None:
    (clone.folder / "elsewhere").mkdir()
    shutil.copytree(clone.folder / "data/dataset", clone.folder / "elsewhere/dataset")
    assert one_value_of_february(clone.diff("before", "after"))
    assert one_value_of_february(clone.diff("before"))
    assert one_value_of_february(clone.diff("elsewhere/dataset", "before"))
    assert clone.diff("after").same


def test_only_differing_files_are_fetched_and_none_stays(clone: Clone) -> None:
    for name in ("features/2024-01.parquet", "targets/2024-02.parquet", "graph/2024-03.parquet"):
        clone.stored(name).unlink()
    tree = clone.run("git", "status", "--porcelain", "--ignored")
    assert one_value_of_february(clone.diff("before", "after"))
    assert clone.run("git", "status", "--porcelain", "--ignored") == tree
    assert list((clone.folder / ".dvc/cache").rglob("*.parquet")) == []


def test_the_cache_is_enough_without_a_remote(recorded: Clone, tmp_path: Path) -> None:
    shutil.copytree(recorded.folder, tmp_path / "clone", symlinks=True)
    alone = Clone(tmp_path / "clone", tmp_path / "remote")
    alone.run("dvc", "remote", "remove", "store")
    assert one_value_of_february(alone.diff("before", "after"))


def test_a_corrupt_object_of_the_cache_is_skipped(recorded: Clone, tmp_path: Path) -> None:
    shutil.copytree(recorded.folder.parent, tmp_path / "copy", symlinks=True)
    copy = Clone(tmp_path / "copy/clone", tmp_path / "copy/remote")
    oid = clone_object(copy, FEBRUARY)
    replace_bytes(copy.folder / ".dvc/cache/files/md5" / oid, b"spoilt")
    assert one_value_of_february(copy.diff("before", "after"))


def clone_object(clone: Clone, name: str) -> str:
    stored = clone.stored(name)
    return f"{stored.parent.name}/{stored.name}"


def test_a_differing_month_without_an_intact_copy_is_named(clone: Clone) -> None:
    stored = clone.stored(FEBRUARY)
    stored.unlink()
    with pytest.raises(
        DataError, match=f"has an intact copy of object {stored.parent.name}{stored.name} of the dataset"
    ):
        clone.diff("before", "after")


def test_an_unreachable_remote_is_an_error_if_it_is_needed(clone: Clone) -> None:
    clone.remote.rename(clone.remote.with_name("gone"))
    with pytest.raises(StoreError, match="remote` does not exist"):
        clone.diff("before", "after")


def test_a_revision_without_a_dataset_is_refused(clone: Clone) -> None:
    clone.run("git", "rm", "--quiet", "data/dataset.dvc")
    clone.run("git", "commit", "--quiet", "--message", "No dataset")
    with pytest.raises(DataError, match="`HEAD` recorded no `data/dataset`"):
        clone.diff("HEAD", "after")
    with pytest.raises(DataError, match="cannot be read: you are not inside of a DVC repository"):
        clone.diff("nothing", "after")


def test_a_name_that_is_neither_a_folder_nor_a_revision_is_refused(clone: Clone, tmp_path: Path) -> None:
    with pytest.raises(GitError, match="`data/nowhere` is neither a folder nor a revision: `data/nowhere` is not"):
        clone.diff("data/nowhere")
    made = Made.of().write(tmp_path / "a")
    with pytest.raises(GitError, match=r"`b` is neither a folder nor a revision(?s:.)*not in a Git working tree"):
        dataset_diff(tmp_path, str(made), "b")


def test_the_command_takes_revisions(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clone.folder)
    done = CliRunner().invoke(main, ["dataset", "diff", "before"])
    assert done.exit_code == 0
    assert "feature_1 in 1" in done.stdout
    assert CliRunner().invoke(main, ["dataset", "diff", "never"]).exit_code == 8
