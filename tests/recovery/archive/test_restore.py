"""`archive restore`: a byte-identical release without network or remote, or nothing at all."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gogooku3.errors import RefusedError
from gogooku3.recovery.archive.read import extracted_store
from gogooku3.recovery.archive.release import listing
from gogooku3.recovery.archive.restore import restore
from gogooku3.recovery.releases import git
from gogooku3.recovery.storage import lock
from gogooku3.recovery.storage.fetch import fetch
from gogooku3.recovery.storage.open import open_cache, open_folder
from gogooku3.runtime.files import sha256_file

from ...meeting import meet, offsets

TAG = "tier1@v1.1.0"


def outputs(folder: Path) -> dict[str, str]:
    files = [path for top in ("data", "models") for path in (folder / top).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): sha256_file(path) for path in files if path.name != ".gitignore"}


def command(*arguments: str, cwd: Path, **variables: str) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | variables
    return subprocess.Popen(
        [sys.executable, "-m", "gogooku3.cli", "archive", *arguments],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_everything_is_restored_without_network_or_remote(released: Any, archived: Path, tmp_path: Path) -> None:
    shutil.copyfile(archived, tmp_path / "it.tar")
    (tmp_path / "new/back").mkdir(parents=True)
    shared = tmp_path / "shared-cache"
    (tmp_path / "home/.config/dvc").mkdir(parents=True)
    (tmp_path / "home/.config/dvc/config").write_text(f"[cache]\n    dir = {shared}\n")
    home = {"HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(tmp_path / "home/.config")}
    with command("restore", "it.tar", "--to", "new/back", "--json", cwd=tmp_path, **home) as process:
        printed, stderr = process.communicate()
    assert process.returncode == 0, stderr
    result = json.loads(printed)
    back = tmp_path / "new/back"
    commit = git.commit_of(released.folder, TAG)
    assert (result["tag"], result["commit"], result["folder"], result["good"]) == (TAG, commit, str(back), True)
    assert ".partial" not in printed
    assert outputs(back) == outputs(released.folder)
    assert set(git.tag_names(back)) == {TAG, "tier1#best#2"}
    for tag in git.tag_names(back):
        assert git.run(back, "rev-parse", tag) == git.run(released.folder, "rev-parse", tag)
    assert git.commit_of(back, "HEAD") == commit
    assert git.run(back, "log", "--format=%H") == git.run(released.folder, "log", "--format=%H", TAG)
    assert git.changes(back) == []
    assert git.run(back, "remote") == ""
    assert not shared.exists()
    assert {path.name for path in back.parent.iterdir()} == {"back"}
    clone = type(released)(back, released.make)
    assert json.loads(clone.run("dvc", "status", "--json").stdout) == {}
    clone.run("dvc", "remote", "modify", "--local", "store", "url", str(tmp_path / "other"))
    clone.run("dvc", "push", "--quiet")
    clone.run("gogooku3", "audit", TAG, "--repair")  # `dvc push` does not know the provenance
    clone.run("gogooku3", "audit", TAG)


def test_a_folder_that_is_not_empty_is_refused(archived: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("mine")
    with pytest.raises(RefusedError, match="is not empty"):
        restore(archived, tmp_path / "full")
    with pytest.raises(RefusedError, match="is a file"):
        restore(archived, tmp_path / "full/mine.txt")
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "mine.txt"]


@pytest.mark.slow
def test_a_package_that_does_not_verify_is_restored_and_named(archived: Path, tmp_path: Path) -> None:
    """It is restored, because its bytes are the released ones: the cause may be this machine."""
    with command("restore", str(archived), "--to", "back", cwd=tmp_path, PYTHONPATH=str(broken(tmp_path))) as process:
        printed, stderr = process.communicate()
    assert process.returncode == 1, stderr
    assert "failed: golden:" in printed
    assert "NOT verified" in printed
    assert (tmp_path / "back/models/package/model.safetensors").is_file()


def broken(folder: Path) -> Path:
    """A copy of the project with other scores."""
    source = Path(__file__).parents[3] / "src"
    shutil.copytree(source / "gogooku3", folder / "src/gogooku3", ignore=shutil.ignore_patterns("__pycache__"))
    golden = folder / "src/gogooku3/recovery/checks/golden.py"
    golden.write_text(golden.read_text() + "\n\ndef golden(subject):\n    raise ValueError('other scores')\n")
    return folder / "src"


@pytest.mark.slow
def test_killed_at_any_step_it_leaves_nothing_and_the_next_run_completes(
    released: Any, archived: Path, tmp_path: Path
) -> None:
    for step in ("cloning", "objects", "outputs", "verifying"):
        with command("restore", str(archived), "--to", "back", cwd=tmp_path) as process:
            assert process.stderr is not None
            stderr = [line for line in iter(process.stderr.readline, f"restoring: {step}\n") if line]
            process.send_signal(signal.SIGKILL)
            process.communicate()
        assert process.returncode == -signal.SIGKILL, stderr
        assert not (tmp_path / "back").exists()
    with command("restore", str(archived), "--to", "back", cwd=tmp_path) as process:
        assert "verified: this is the model" in process.communicate()[0]
    assert outputs(tmp_path / "back") == outputs(released.folder)
    assert [path.name for path in tmp_path.iterdir()] == ["back"]


def test_list_shows_the_release_and_the_outputs(released: Any, archived: Path, tmp_path: Path) -> None:
    with command("list", str(archived), "--check", "--json", cwd=tmp_path) as process:
        found = json.loads(process.communicate()[0])
    assert (found["checked"], found["size"]) == (True, archived.stat().st_size)
    assert found["manifest"]["tag"] == TAG
    assert found["record"]["validation"]["rank_ic"]["1"]["value"] == pytest.approx(0.07)
    sizes = {part["path"]: (part["files"], part["size"]) for part in found["outputs"]}
    for output in lock.outputs(released.folder, TAG):
        assert sizes.pop(output.path) == (output.nfiles or 1, output.size)
    assert not sizes
    with command("list", str(archived), cwd=tmp_path) as process:
        shown = process.communicate()[0]
    for said in (TAG, "tier1#best#2", found["manifest"]["commit"], found["manifest"]["model_sha256"], "0.070 ["):
        assert said in shown
    assert not list(tmp_path.iterdir())


def test_check_reads_all_bytes(archived: Path, tmp_path: Path) -> None:
    content = bytearray(archived.read_bytes())
    content[content.rindex(b"relpath")] ^= 1
    (tmp_path / "it.tar").write_bytes(content)
    with command("list", "it.tar", "--check", cwd=tmp_path) as process:
        printed, stderr = process.communicate()
    assert (process.returncode, printed, stderr.count("\n")) == (3, "", 2)
    assert "error: `it.tar` was altered: 'store/files/md5/" in stderr


def test_an_archive_is_a_source_of_lost_objects(released: Any, archived: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    released.run("git", "clone", "--quiet", str(released.folder), str(clone))
    outs = lock.outputs(clone, TAG)
    with extracted_store(archived) as folder:
        fetched = fetch(open_cache(clone), [open_folder(folder)], outs, lambda *_: None)
        assert fetched.brought == {str(folder): len(listing(archived).manifest.objects)}
    assert not fetched.lost
    assert not folder.exists()


@pytest.mark.slow
def test_of_two_at_once_one_restores_and_the_other_is_refused(released: Any, archived: Path, tmp_path: Path) -> None:
    for number, delays in enumerate(offsets(2, 2.0)):
        place = tmp_path / str(number)
        place.mkdir()
        command = ("archive", "restore", str(archived), "--to", "back")
        ended = meet(command, folders=[place] * 2, delays=delays, loaded="gogooku3.recovery.archive.restore")
        done, other = sorted(ended, key=lambda each: each.code)
        assert (done.code, other.code) == (0, 1), ended
        reasons = (f"another recovery into `{place}/back` is running (process {done.pid})", "`back` is not empty")
        assert any(reason in other.errors for reason in reasons), other.errors
        assert outputs(place / "back") == outputs(released.folder)
        assert [path.name for path in place.iterdir()] == ["back"]
