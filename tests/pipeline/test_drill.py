"""`drill` with good and bad releases of a small run."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import site
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from yaml import safe_load

from .conftest import Workspace

LOST = "f" * 32


class Releases:
    """A repository with releases, and the folder of the drills' temporary folders."""

    def __init__(self, workspace: Workspace, folder: Path) -> None:
        self.workspace, self.temporary, self.bucket = workspace, folder / "temporary", folder / "bucket"
        for made in (self.temporary, self.bucket):
            made.mkdir()
        local = workspace.folder / ".dvc/config.local"
        local.write_text(f"['remote \"store\"']\n    url = {self.bucket}\n")

    def drill(self, *arguments: str, code: int) -> dict[str, Any]:
        """Each release's steps by name."""
        done = self.workspace.run("gogooku3", "drill", *arguments, check=False, TMPDIR=str(self.temporary))
        assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stdout + done.stderr
        report = json.loads((self.workspace.folder / "logs/drill.json").read_text())
        assert report["good"] is (code == 0)
        return {each["tag"]: {step["name"]: step for step in each["steps"]} for each in report["rehearsals"]}

    def with_another_score(self, file: Path) -> str:
        """Uploads predictions with one score increased by 1, and returns their hash."""
        frame = pl.read_parquet(self.workspace.folder / "data/predictions.parquet")
        first = pl.int_range(pl.len()) == 0
        frame.with_columns(pl.col("score_5") + first.cast(pl.Float32)).write_parquet(file)
        oid = hashlib.md5(file.read_bytes()).hexdigest()
        place = self.bucket / "files/md5" / oid[:2] / oid[2:]
        place.parent.mkdir(exist_ok=True)
        shutil.copyfile(file, place)
        return oid

    def forge(self, tag: str, path: str, oid: str) -> None:
        """Makes a release with the first one's record and another object for an output in its lock file."""
        lock = self.workspace.folder / "dvc.lock"
        text = lock.read_text()
        old = safe_load(text)["stages"]["evaluate" if "predictions" in path else "package"]["outs"]
        lock.write_text(text.replace(next(out["md5"] for out in old if out["path"] == path), oid))
        self.workspace.commit(tag)
        message = self.workspace.run("git", "for-each-ref", "--format=%(contents)", "refs/tags/demo@v1.0.0").stdout
        self.workspace.run("git", "tag", "-a", "-m", message, tag)
        lock.write_text(text)


@pytest.fixture
def releases(workspace: Workspace, tmp_path: Path) -> Releases:
    return Releases(workspace, tmp_path)


def lend(workspace: Workspace, folder: Path) -> None:
    """Writes a lock file that pip installs in seconds: its only library gives access to this environment's."""
    info = "lender-1.0.dist-info"
    content = {
        "lender.pth": f"{site.getsitepackages()[0]}\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: lender\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    content[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*content, f"{info}/RECORD"])
    wheel = folder / "lender-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    lines = [f"lender @ {wheel.as_uri()}", f"setuptools=={version('setuptools')}"]
    (workspace.folder / "requirements.lock").write_text("\n".join(lines) + "\n")


def outcomes(steps: dict[str, Any]) -> dict[str, str]:
    return {name: step["outcome"] for name, step in steps.items()}


@pytest.mark.slow
def test_good_and_bad_releases_are_rehearsed_each_to_its_end(releases: Releases, tmp_path: Path) -> None:
    """One release is intact, one lacks its predictions, one has its weights exchanged for
    others, one has a changed score."""
    workspace = releases.workspace
    lend(workspace, tmp_path)
    workspace.run("dvc", "commit", "--force", "--quiet")
    workspace.commit("A lock file that is quick to install")
    workspace.run("gogooku3", "promote", "demo")
    releases.forge("demo@v1.1.0", "data/predictions.parquet", LOST)
    other = safe_load((workspace.folder / "dvc.lock").read_text())["stages"]["train@gat"]["outs"]
    weights = next(out["md5"] for out in other if out["path"] == "models/gat/model.safetensors")
    releases.forge("demo@v1.2.0", "models/package/model.safetensors", weights)
    releases.forge("demo@v1.3.0", "data/predictions.parquet", releases.with_another_score(tmp_path / "other.parquet"))

    before = workspace.changes()
    found = releases.drill("--all-tags", code=1)
    assert list(found) == ["demo@v1.0.0", "demo@v1.1.0", "demo@v1.2.0", "demo@v1.3.0"]
    assert set(outcomes(found["demo@v1.0.0"]).values()) == {"passed"}
    assert re.fullmatch(r"[\d,]+ rows bitwise identical", found["demo@v1.0.0"]["compare"]["found"])
    assert "bitwise identical" in found["demo@v1.0.0"]["verify"]["found"]
    assert outcomes(found["demo@v1.1.0"]) == {
        **dict.fromkeys(("clone", "environment", "package", "verify"), "passed"),
        **{"data": "failed", "predict": "skipped", "compare": "skipped"},
    }
    assert f"`data/predictions.parquet` ({LOST}): missing in {releases.bucket}" in found["demo@v1.1.0"]["data"]["found"]
    assert "reused, built from" in found["demo@v1.1.0"]["environment"]["found"]
    assert outcomes(found["demo@v1.2.0"])["package"] == "failed"
    assert "`demo@v1.2.0` records a model with SHA-256" in found["demo@v1.2.0"]["package"]["found"]
    assert outcomes(found["demo@v1.2.0"])["verify"] == "skipped"

    assert [name for name, outcome in outcomes(found["demo@v1.3.0"]).items() if outcome != "passed"] == ["compare"]
    assert (
        "scores differ by up to 1, though they must be bitwise identical here"
        in found["demo@v1.3.0"]["compare"]["found"]
    )

    report = (workspace.folder / "logs/drill.md").read_text()
    assert report.startswith("# Drill: 3 of 4 releases FAILED: demo@v1.1.0, demo@v1.2.0, demo@v1.3.0\n")
    assert workspace.changes() == before, "the report is nothing that Git would see"
    assert list(releases.temporary.glob("gogooku3-*")) == []


@pytest.mark.slow
def test_an_environment_that_cannot_be_built_is_named_and_the_rest_is_tried(releases: Releases) -> None:
    workspace = releases.workspace
    (workspace.folder / "requirements.lock").write_text("no-such-library-anywhere==9.9\n")
    workspace.commit("A lock file that nobody can install")
    workspace.run("git", "tag", "-a", "-m", "by hand", "demo@v1.0.0")
    workspace.run("dvc", "push", "--quiet")
    found = releases.drill("demo@v1.0.0", code=1)["demo@v1.0.0"]
    assert outcomes(found)["environment"] == "failed"
    assert "no-such-library-anywhere==9.9" in found["environment"]["found"]
    assert (outcomes(found)["package"], outcomes(found)["data"]) == ("noted", "passed")  # the tag has no record
    assert outcomes(found)["verify"] == outcomes(found)["predict"] == outcomes(found)["compare"] == "skipped"


def test_nothing_to_rehearse_is_not_success(releases: Releases) -> None:
    done = releases.workspace.run("gogooku3", "drill", check=False)
    assert done.returncode == 3
    assert "there is no release to rehearse\nhint: " in done.stderr
    assert not any((releases.workspace.folder / "logs").glob("drill.*"))


@pytest.mark.slow
def test_a_release_comes_back_in_an_environment_from_its_own_lock_file(releases: Releases) -> None:
    releases.workspace.run("gogooku3", "promote", "demo")
    found = releases.drill(code=0)["demo@v1.0.0"]
    assert set(outcomes(found).values()) == {"passed"}
    assert found["environment"]["found"] == "built from `requirements.lock`"
    assert list(releases.temporary.glob("gogooku3-*")) == []
