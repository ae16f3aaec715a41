"""A bucket that moved after a release: the error names the present one, and how to use it; nothing switches to it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from gogooku3.errors import StoreError
from gogooku3.recovery.moved import with_present_remote
from gogooku3.recovery.pull import pull
from gogooku3.recovery.storage.lock import outputs

from .conftest import Toy

GONE = StoreError("`gs://former/store` does not exist", hint="create it")


@pytest.fixture
def moved(toy: Toy, tmp_path: Path) -> Toy:
    """A clone at the tag whose configuration names a folder that was renamed; the default branch names the new one."""
    present = tmp_path / "present"
    shutil.copytree(toy.folder / ".dvc/cache", present, ignore=shutil.ignore_patterns("runs"))
    (toy.folder / ".dvc/config.local").unlink()
    name_remote(toy, str(tmp_path / "former"), tag="toy@v1.1.0")
    name_remote(toy, str(present))
    return cloned(toy, tmp_path / "clone")


def name_remote(toy: Toy, url: str, *, tag: str | None = None) -> None:
    config = toy.folder / ".dvc/config"
    config.write_text(re.sub("(?m)^    url = .*", f"    url = {url}", config.read_text()))
    toy.commit(url, tag=tag)


def cloned(toy: Toy, target: Path, rev: str = "toy@v1.1.0") -> Toy:
    toy.run("git", "clone", "--quiet", str(toy.folder), str(target))
    clone = Toy(target)
    clone.run("git", "checkout", "--quiet", rev)
    return clone


def test_the_error_names_the_present_remote_and_its_command_works(moved: Toy, tmp_path: Path) -> None:
    outs = outputs(moved.folder, None)
    with pytest.raises(StoreError) as refused:
        pull(moved.folder, outs)
    former, present = tmp_path / "former", tmp_path / "present"
    assert refused.value.message == (f"`{former}` does not exist; the default branch names `{present}` as the remote")
    assert "if you trust that remote" in refused.value.hint
    command, rest = refused.value.hint.split("`")[1:3]
    assert rest == ", and the same command again with "
    assert refused.value.hint.endswith("`--settings FILE`")
    moved.run("bash", "-c", command.replace("FILE", ".dvc/config.local"))
    assert sum(pull(moved.folder, outs).brought.values()) == 6


def test_the_present_remote_is_not_used_without_the_user(moved: Toy) -> None:
    with pytest.raises(StoreError):
        pull(moved.folder, outputs(moved.folder, None))
    assert not [*(moved.folder / ".dvc").glob("cache/files/md5/*/*")]


def test_passwords_are_hidden(moved: Toy, toy: Toy) -> None:
    name_remote(toy, "https://user:secret@example.com/store")
    moved.run("git", "fetch", "--quiet")
    error = with_present_remote(moved.folder, GONE)
    assert "the default branch names `https://example.com/store`" in error.message
    assert "'url = https://example.com/store'" in error.hint
    assert "secret" not in str(error)


def test_an_endpoint_is_part_of_the_settings(moved: Toy, toy: Toy) -> None:
    name_remote(toy, "gs://present/store\n    endpointurl = http://storage.example.com")
    moved.run("git", "fetch", "--quiet")
    assert "'endpointurl = http://storage.example.com'" in with_present_remote(moved.folder, GONE).hint


@pytest.mark.parametrize(
    "config",
    [
        "",
        "[core\n",
        "remote = 5\ncore = 4\n",
        "[core]\nremote = x\n[remote]\nx = 4\n",
        "[core]\nremote = store\n['remote \"store\"']\nurl = gs://a\nurl = gs://b\n",
        "[core]\nremote = store\n['remote \"store\"']\nurl = gs://a\x1b[31m\n",
        "[core]\nremote = store\n['remote \"store\"']\nverify = true\n",
        b"\xff\xfe",
        None,
    ],
)
def test_a_default_branch_that_names_none_changes_only_the_hint(
    moved: Toy, toy: Toy, config: str | bytes | None
) -> None:
    file = toy.folder / ".dvc/config"
    if config is None:
        file.unlink()
    else:
        file.write_bytes(config.encode() if isinstance(config, str) else config)
    toy.commit("Another configuration")
    moved.run("git", "fetch", "--quiet")
    error = with_present_remote(moved.folder, GONE)
    assert error.message == GONE.message
    assert error.hint.startswith("create it; if the bucket has moved, ")
    assert error.hint.endswith("`--settings FILE`")


def test_the_same_remote_is_not_named_again(moved: Toy, toy: Toy, tmp_path: Path) -> None:
    """Paths are relative to the configuration."""
    name_remote(toy, "../former", tag="toy@v1.2.0")
    moved.run("git", "fetch", "--quiet", "--tags")
    moved.run("git", "checkout", "--quiet", "toy@v1.2.0")
    assert with_present_remote(moved.folder, GONE).message == GONE.message


def test_a_clone_without_a_default_branch_has_the_hint_too(moved: Toy) -> None:
    moved.run("git", "remote", "set-head", "origin", "--delete")
    assert "--settings FILE" in with_present_remote(moved.folder, GONE).hint
