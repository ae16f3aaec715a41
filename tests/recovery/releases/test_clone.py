"""Clones: valid targets, the tags that count, and settings with the same meaning in the clone."""

from __future__ import annotations

import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo

from gogooku3.errors import ConfigError, DataError, RefusedError
from gogooku3.recovery.releases import git
from gogooku3.recovery.releases.clone import LOCAL_SETTINGS, clone
from gogooku3.recovery.storage.open import open_cache, open_remote

from ...meeting import writer


@pytest.fixture
def released(lab: Any) -> Any:
    lab.run("git", "tag", "--annotate", "--message", "first", "tier1@v1.0.0")
    lab.run("git", "tag", "--annotate", "--message", "best", "tier1#best#1")
    return lab


@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_followed(released: Any, tmp_path: Path, there: bool) -> None:
    if there:
        (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk")
    clone(str(released.folder), "tier1", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "disk/dvc.lock").is_file()


def test_a_file_and_the_current_folder_are_refused_and_stay(
    released: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RefusedError, match="is a file"):
        clone(str(released.folder), "tier1", tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(RefusedError, match=r"`\.` is the current folder"):
        clone(str(released.folder), "tier1", Path())
    assert Path.cwd().samefile(tmp_path / "here")


def test_a_clone_follows_the_repository_to_its_newer_best(
    released: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, target = str(released.folder), tmp_path / "clone"
    first = clone(url, "tier1", target)
    assert clone(url, "tier1", target) == first
    released.run("git", "commit", "--quiet", "--allow-empty", "--message", "Better")
    later = int(released.run("git", "log", "-1", "--format=%ct").stdout) + 60
    monkeypatch.setenv("GIT_COMMITTER_DATE", f"{later} +0000")
    released.run("git", "tag", "--annotate", "--message", "second", "tier1@v1.1.0")
    released.run("git", "tag", "--annotate", "--message", "best", "tier1#best#2")
    with pytest.raises(RefusedError, match=r"is a clone, but not an unchanged one at `tier1@v1\.1\.0`"):
        clone(url, "tier1", target)
    assert clone(url, "tier1@v1.0.0", target) == first


def test_another_repository_is_refused_and_gets_no_tags(released: Any, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git.run(other, "init", "--quiet")
    git.run(other, "-c", "user.name=T", "-c", "user.email=t@e", "commit", "--quiet", "--allow-empty", "--message", "x")
    with pytest.raises(RefusedError, match="is another repository"):
        clone(str(released.folder), "tier1", other)
    assert git.tag_names(other) == []


def test_relative_paths_in_settings_refer_to_the_same_files(released: Any, tmp_path: Path) -> None:
    settings = released.folder / ".dvc/config.local"
    settings.write_text("['remote \"store\"']\n    url = ../../bucket\n")
    settings.chmod(0o600)
    target = tmp_path / "far/away/clone"
    for _ in ("made", "kept"):
        clone(str(released.folder), "tier1", target, settings)
        assert Path(open_remote(target).name).samefile(released.bucket)
        assert stat.S_IMODE((target / LOCAL_SETTINGS).stat().st_mode) == 0o600


def test_a_clone_may_be_given_its_own_settings(released: Any, tmp_path: Path) -> None:
    settings = tmp_path / "settings"
    settings.write_text(f"['remote \"store\"']\n    url = {released.bucket}\n")
    clone(str(released.folder), "tier1", tmp_path / "clone", settings)
    own = tmp_path / "clone" / LOCAL_SETTINGS
    before = own.read_text()
    clone(str(released.folder), "tier1", tmp_path / "clone", own)
    assert own.read_text() == before
    assert f"url = {released.bucket}\n" in before


def test_a_clone_has_a_private_site_cache(released: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC's default is one folder for all users, with pickles in it."""
    monkeypatch.delenv("DVC_SITE_CACHE_DIR")
    target = tmp_path / "clone"
    for _ in ("made", "kept"):
        clone(str(released.folder), "tier1", target)
        with Repo(str(target)) as repo:
            assert Path(repo.site_cache_dir).is_relative_to(target)
            assert Path(repo.cache.local.path).is_relative_to(target)


def linked(place: str) -> Callable[[Path, Path], None]:
    def commit(folder: Path, victim: Path) -> None:
        (folder / place).symlink_to(victim)

    return commit


def file_in(place: str) -> Callable[[Path, Path], None]:
    def commit(folder: Path, victim: Path) -> None:
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text("theirs")

    return commit


@pytest.mark.parametrize(
    ("state", "commit"),
    [
        (".dvc/config.local", linked(".dvc/config.local")),
        (".dvc/cache", linked(".dvc/cache")),
        (".dvc/tmp", linked(".dvc/tmp")),
        (".dvc/config.local", file_in(".dvc/config.local")),
        (".dvc/cache", file_in(".dvc/cache/files/md5/00/00")),
        (".dvc/tmp", file_in(".dvc/tmp/lock")),
        (".dvc/plots", linked(".dvc/plots")),
    ],
)
@pytest.mark.parametrize("given", [False, True], ids=["", "with settings"])
def test_a_commit_with_the_state_of_dvc_is_refused_and_nothing_is_written(
    released: Any, tmp_path: Path, state: str, commit: Callable[[Path, Path], None], given: bool
) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "mine").write_text("mine")
    settings = tmp_path / "settings"
    settings.write_text("[core]\n    checksum_jobs = 1\n")
    for name in ("config.local", "cache", "tmp"):
        path = released.folder / ".dvc" / name
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    commit(released.folder, victim)
    released.run("git", "add", "--force", "--all")
    released.run("git", "commit", "--quiet", "--message", "Hostile")
    released.run("git", "tag", "--annotate", "--message", "hostile", "tier1@v2.0.0")
    with pytest.raises(DataError, match=rf"contains `{re.escape(state)}`, which is never committed"):
        clone(str(released.folder), "tier1@v2.0.0", tmp_path / "out/clone", settings if given else None)
    assert [path.read_text() for path in victim.iterdir()] == ["mine"]
    assert not list(tmp_path.glob("out/*"))


def test_a_committed_cache_folder_is_not_used(released: Any, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    released.run("dvc", "cache", "dir", str(outside))
    released.run("git", "commit", "--quiet", "--all", "--message", "Their cache")
    released.run("git", "tag", "--annotate", "--message", "theirs", "tier1@v2.0.0")
    released.run("dvc", "push", "--quiet")
    clone(str(released.folder), "tier1@v2.0.0", tmp_path / "clone")
    assert Path(open_cache(tmp_path / "clone").name).is_relative_to(tmp_path / "clone")
    assert not (tmp_path / "clone").joinpath(".dvc/config.local").is_symlink()


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[remote\n", b"[core]\n    no_such_thing = 1\n"])
def test_invalid_settings_are_refused_and_leave_nothing(released: Any, tmp_path: Path, content: bytes) -> None:
    settings = tmp_path / "settings"
    settings.write_bytes(content)
    with pytest.raises(ConfigError, match="is not a DVC configuration"):
        clone(str(released.folder), "tier1", tmp_path / "out/clone", settings)
    assert not list(tmp_path.glob("out/*"))


def test_a_tag_from_before_the_pipeline_is_refused_and_leaves_nothing(released: Any, tmp_path: Path) -> None:
    released.run("git", "rm", "--quiet", "-r", ".dvc")
    released.run("git", "commit", "--quiet", "--message", "No pipeline")
    released.run("git", "tag", "--annotate", "--message", "old", "old@v1.0.0")
    with pytest.raises(DataError, match=r"its commit has no `\.dvc`"):
        clone(str(released.folder), "old@v1.0.0", tmp_path / "out/clone")
    assert not list(tmp_path.glob("out/*"))


def test_inside_a_hook_of_another_repository_the_clone_is_used(
    released: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hooked").mkdir()
    git.run(tmp_path / "hooked", "init", "--quiet")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "hooked/.git"))
    assert clone(str(released.folder), "tier1", tmp_path / "clone").commit == git.commit_of(released.folder, "HEAD")
    assert git.tag_names(tmp_path / "hooked") == []


def test_what_another_process_wrote_into_the_target_meanwhile_stays(released: Any, tmp_path: Path) -> None:
    """Such as `export`, which began before; its lock is another one than that of two recoveries."""
    target = tmp_path / "clone"
    with writer("folder", target, "theirs", 1.0) as other:
        assert other.stdout.readline() == "writing\n"
        with pytest.raises(RefusedError, match=r"clone` is not empty"):
            clone(str(released.folder), "tier1", target)
    assert (target / "theirs").read_text() == "theirs" * 20
    assert not list(tmp_path.glob(".clone*"))
