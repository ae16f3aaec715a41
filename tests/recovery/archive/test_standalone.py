"""The steps of the archive's README restore the release with Git, tar and Python alone, or fail without leftovers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gogooku3.recovery.archive import standalone
from gogooku3.recovery.releases import git
from gogooku3.recovery.storage import lock
from gogooku3.runtime.files import sha256_file

TAG = "tier1@v1.1.0"
TOOLS = {name: shutil.which(name) for name in ("git", "tar", "mkdir")} | {"python3": sys.executable}


@pytest.fixture
def bare(tmp_path: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """A shell with only Git, tar, `mkdir` and Python on its path: no DVC, no gogooku3."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, path in TOOLS.items():
        (tools / name).symlink_to(Path(str(path)).resolve())

    def run(script: str) -> subprocess.CompletedProcess[str]:
        place = tmp_path / "place"
        place.mkdir(exist_ok=True)
        environment = {"PATH": str(tools), "HOME": str(tmp_path)}
        return subprocess.run(
            ["/bin/sh", "-ec", script], cwd=place, env=environment, capture_output=True, text=True, check=False
        )

    return run


def test_the_readmes_steps_restore_everything(
    released: Any, archived: Path, bare: Callable[[str], subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    assert "No module named 'dvc'" in bare("python3 -I -c 'import dvc'").stderr
    shutil.copyfile(archived, tmp_path / "place" / archived.name)
    readme = subprocess.run(["tar", "-xOf", archived, "README.md"], capture_output=True, text=True, check=True).stdout
    blocks = re.findall(r"^```sh\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1
    done = bare(blocks[0])
    assert (done.returncode, done.stderr) == (0, "")
    back = tmp_path / "place/restored"
    assert f"{TAG}, commit {git.commit_of(released.folder, TAG)[:10]}, in {back}" in done.stdout
    for top in ("data", "models"):
        files = [path for path in (released.folder / top).rglob("*") if path.is_file() and path.name != ".gitignore"]
        for file in files:
            assert (back / file.relative_to(released.folder)).read_bytes() == file.read_bytes()
    assert git.commit_of(back, "HEAD") == git.commit_of(released.folder, TAG)
    assert git.changes(back) == []
    assert git.run(back, "remote") == ""
    assert type(released)(back, released.make).run("gogooku3", "verify").returncode == 0
    assert {path.name for path in back.parent.iterdir()} == {archived.name, "archive", "restored"}


def edit(path: Path, change: Callable[[Any], Any]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def altered_object(folder: Path) -> None:
    weights = next((folder / "store/files/md5").rglob("*"))
    weights = max((path for path in weights.parent.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")


def altered_object_and_manifest(folder: Path) -> None:
    altered_object(folder)

    def restate(manifest: Any) -> None:
        for file in manifest["files"]:
            file["sha256"] = sha256_file(folder / file["path"])

    edit(folder / "MANIFEST.json", restate)


def lost_object(folder: Path) -> None:
    next(path for path in (folder / "store").rglob("*") if path.is_file()).unlink()


def other_commit(folder: Path) -> None:
    edit(folder / "MANIFEST.json", lambda manifest: manifest.update(commit="0" * 40))


def other_model(folder: Path) -> None:
    edit(folder / "MANIFEST.json", lambda manifest: manifest.update(model_sha256="0" * 64))


def without_provenance(folder: Path) -> None:
    def drop(manifest: Any) -> None:
        manifest["files"] = [file for file in manifest["files"] if file["path"] != "provenance.json"]

    edit(folder / "MANIFEST.json", drop)


def leading_out(folder: Path) -> None:
    def move(manifest: Any) -> None:
        manifest["outputs"]["../evil"] = manifest["outputs"].pop("models/package/README.md")

    edit(folder / "MANIFEST.json", move)


def over_a_file(folder: Path) -> None:
    def move(manifest: Any) -> None:
        manifest["outputs"]["params.yaml"] = manifest["outputs"].pop("models/package/README.md")

    edit(folder / "MANIFEST.json", move)


def no_manifest(folder: Path) -> None:
    (folder / "MANIFEST.json").write_text("[]")


def cut_bundle(folder: Path) -> None:
    bundle = folder / "repository.bundle"
    bundle.write_bytes(bundle.read_bytes()[:-9])

    def restate(manifest: Any) -> None:
        for file in manifest["files"]:
            if file["path"] == bundle.name:
                file.update(size=bundle.stat().st_size, sha256=sha256_file(bundle))

    edit(folder / "MANIFEST.json", restate)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (altered_object, "was altered"),
        (altered_object_and_manifest, "is not the object that it is named after"),
        (lost_object, "is missing"),
        (other_commit, "is not commit 0000"),
        (other_model, "records another model"),
        (without_provenance, "names another provenance"),
        (leading_out, "'../evil' is not a valid path for an output"),
        (over_a_file, "'params.yaml' is not a valid path for an output"),
        (no_manifest, "MANIFEST.json is not the manifest of an archive"),
        (cut_bundle, "git clone failed"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_an_altered_archive_is_refused_in_one_line_without_leftovers(
    archived: Path,
    bare: Callable[[str], subprocess.CompletedProcess[str]],
    tmp_path: Path,
    spoil: Callable[[Path], None],
    says: str,
) -> None:
    assert bare(f"mkdir archive; tar -xf {archived} -C archive").returncode == 0
    spoil(tmp_path / "place/archive")
    done = bare("python3 -I archive/restore.py restored")
    assert (done.returncode, done.stdout) == (3, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in (tmp_path / "place").iterdir()] == ["archive"]


@pytest.mark.parametrize(
    "path",
    ["", ".", "/x", "..", "../x", "a/../../x", ".git/hooks/x", "a/.GIT/x", ".dvc/x", "a\\..\\x", "a//x", "a/./x", "a/"],
)
def test_a_path_outside_the_repository_or_in_git_is_refused(path: str) -> None:
    for module in (standalone, lock):  # the script is standalone and has its own copy
        assert not module.is_inside(path)
        assert module.is_inside("models/package/README.md")
