"""Malicious archives with valid hashes, whose repository tries to write outside the target folder."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gogooku3.errors import DataError, MismatchError
from gogooku3.recovery.archive.bundle import bundle
from gogooku3.recovery.archive.manifest import member_path
from gogooku3.recovery.archive.restore import restore
from gogooku3.recovery.releases import git, tag_objects, tags

TAG = "tier1@v1.1.0"
README = "models/package/README.md"
WEIGHTS = "models/package/model.safetensors"


@pytest.fixture
def hostile(released: Any, forgery: Any, tmp_path: Path) -> Callable[[Callable[[Any, Any], None]], Path]:
    """Writes an archive of an edited repository with matching tag, commit and hashes."""

    def make(change: Callable[[Any, Any], None]) -> Path:
        lab = released.copy(tmp_path / "hostile")
        change(lab, forgery)
        lab.run("git", "add", "--all", "--force", ".dvc")
        commit = lab.commit("Nothing to see here")
        tag = tags.find(lab.folder, TAG).tag
        content = tag_objects.new_object(lab.folder, TAG, commit, tag.message)
        git.run(lab.folder, "tag", "--delete", TAG)
        tag_objects.create_tags(lab.folder, {TAG: content})
        bundle(lab.folder, TAG, "tier1#best#2", tmp_path / "hostile.bundle")
        forgery.put("repository.bundle", (tmp_path / "hostile.bundle").read_bytes())
        forgery.restate(commit=commit)
        return Path(forgery.write(tmp_path / "hostile.tar"))

    return make


def clean(lab: Any) -> None:
    """Removes DVC's own files before a commit."""
    lab.run("rm", "-rf", ".dvc/cache", ".dvc/tmp")


def link(path: str) -> Callable[[Any, Any], None]:
    """Makes a folder of the repository a link to one outside."""

    def change(lab: Any, forgery: Any) -> None:
        clean(lab)
        lab.run("rm", "-rf", path)
        (lab.folder / path).symlink_to(lab.folder.parents[1] / "outside")

    return change


def committed(path: str) -> Callable[[Any, Any], None]:
    def change(lab: Any, forgery: Any) -> None:
        clean(lab)
        (lab.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (lab.folder / path).write_text("[core]\n")

    return change


def output(path: str) -> Callable[[Any, Any], None]:
    """Gives an output of the pipeline another path."""

    def change(lab: Any, forgery: Any) -> None:
        clean(lab)
        for file in (lab.folder / "dvc.yaml", lab.folder / "dvc.lock"):
            file.write_text(file.read_text().replace(f"{README}\n", f"{path}\n"))
        outputs = dict(forgery.manifest.outputs)
        outputs[path] = outputs.pop(README)
        forgery.restate(outputs=dict(sorted(outputs.items())))

    return change


def child(path: str) -> Callable[[Any, Any], None]:
    """Gives the only file of `data/quotes` another path in its listing."""

    def change(lab: Any, forgery: Any) -> None:
        clean(lab)
        before = forgery.manifest.outputs["data/quotes"]
        listing = json.loads(forgery.members[member_path(before)])
        listing[0]["relpath"] = path
        content = json.dumps(listing).encode()
        after = f"{hashlib.md5(content).hexdigest()}.dir"
        lock = lab.folder / "dvc.lock"
        lock.write_text(lock.read_text().replace(before, after))
        forgery.replace_object(before, after, content)

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (link("data"), "'data' of commit .* is a link"),
        (link("models/package"), "'models/package' of commit .* is a link"),
        (link(".dvc/cache"), r"contains `\.dvc/cache`, which is never committed"),
        (committed(".dvc/cache/files/x"), r"contains `\.dvc/cache`, which is never committed"),
        (committed(".dvc/config.local"), r"contains `\.dvc/config\.local`, which is never committed"),
        (committed(".dvc/tmp/x"), r"contains `\.dvc/tmp`, which is never committed"),
        (output("../outside/x"), "outside"),
        (output(".git/hooks/post-checkout"), "post-checkout"),
        (child("../../outside/x"), "is not a valid listing of a directory"),
        (child("/tmp/outside/x"), "is not a valid listing of a directory"),
        (child(".git/x"), "is not a valid listing of a directory"),
    ],
    ids=["data", "package", "cache", "a cache", "settings", "tmp", "output", "hook", "child", "absolute", "git"],
)
def test_nothing_is_written_outside(
    hostile: Callable[[Callable[[Any, Any], None]], Path],
    tmp_path: Path,
    change: Callable[[Any, Any], None],
    says: str,
) -> None:
    file = hostile(change)
    (tmp_path / "outside").mkdir()
    (tmp_path / "target").mkdir()
    with pytest.raises(DataError, match=says):
        restore(file, tmp_path / "target/back")
    assert not list((tmp_path / "outside").iterdir())
    assert not list((tmp_path / "target").iterdir())


def test_another_model_under_the_tag_of_a_release_is_refused(
    hostile: Callable[[Callable[[Any, Any], None]], Path], tmp_path: Path
) -> None:
    def another(lab: Any, forgery: Any) -> None:
        clean(lab)
        before = forgery.manifest.outputs[WEIGHTS]
        content = forgery.members[member_path(before)] + b"\0"
        after = hashlib.md5(content).hexdigest()
        lock = lab.folder / "dvc.lock"
        lock.write_text(lock.read_text().replace(before, after))
        forgery.replace_object(before, after, content)

    with pytest.raises(MismatchError, match=f"`{TAG}` records a model with SHA-256"):
        restore(hostile(another), tmp_path / "back")
    assert not (tmp_path / "back").exists()


@pytest.mark.slow
def test_a_cache_that_the_repository_names_elsewhere_is_not_used(
    hostile: Callable[[Callable[[Any, Any], None]], Path], tmp_path: Path
) -> None:
    def cache(lab: Any, forgery: Any) -> None:
        clean(lab)
        with (lab.folder / ".dvc/config").open("a") as config:
            config.write(f"[cache]\n    dir = {tmp_path / 'outside'}\n")

    command = [sys.executable, "-m", "gogooku3.cli", "archive", "restore", str(hostile(cache)), "--to", "back"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "back/models/package/model.safetensors").is_file()
    assert not (tmp_path / "outside").exists()
