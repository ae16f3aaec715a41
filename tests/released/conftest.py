"""Fixtures: the released files of every kept version, and the folders into which they are restored."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from gogooku3.recovery.archive.manifest import Manifest, decode
from gogooku3.recovery.archive.restore import Restored, restore
from gogooku3.recovery.releases import git, tag_objects
from gogooku3.recovery.releases.record import Record, parse

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
VERSIONS = sorted(path.name for path in HERE.glob("[0-9]*"))
TAG, STAGE_TAG = "demo@v1.0.0", "demo#best#1"


@dataclass(frozen=True)
class Kept:
    """The folder of a version."""

    folder: Path

    @property
    def package(self) -> Path:
        return self.folder / "package"

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics"

    @property
    def message(self) -> str:
        return (self.folder / "tag.txt").read_text(encoding="utf-8")

    @property
    def archive(self) -> Path:
        return self.folder / f"{TAG}.tar"


@dataclass(frozen=True)
class Unpacked:
    """The archive, unpacked by `tar`."""

    folder: Path

    @property
    def store(self) -> Path:
        """A DVC remote with all objects of the release."""
        return self.folder / "store"

    @property
    def manifest(self) -> Manifest:
        return decode((self.folder / "MANIFEST.json").read_bytes())

    @cached_property
    def outputs(self) -> dict[str, bytes]:
        """The bytes of every output's files, by path, read without the project's code."""
        files = {}
        for path, name in json.loads((self.folder / "MANIFEST.json").read_text())["outputs"].items():
            if name.endswith(".dir"):
                entries = json.loads(self._object(name))
                files |= {f"{path}/{entry['relpath']}": self._object(entry["md5"]) for entry in entries}
            else:
                files[path] = self._object(name)
        return files

    def _object(self, name: str) -> bytes:
        return (self.store / "files/md5" / name[:2] / name[2:]).read_bytes()


@dataclass(frozen=True)
class Clone:
    """A clone at the archived release, with all outputs."""

    root: Path
    restored: Restored

    @property
    def package(self) -> Path:
        return self.root / "models/package"

    @property
    def dataset(self) -> Path:
        return self.root / "data/dataset"

    @property
    def commit(self) -> str:
        return git.commit_of(self.root, TAG)

    @property
    def record(self) -> Record:
        record = parse(git.run(self.root, "for-each-ref", "--format=%(contents)", f"refs/tags/{TAG}"))
        assert record is not None
        return record


def holds(root: Path, outputs: dict[str, bytes]) -> bool:
    """Whether the working tree has these outputs, byte for byte."""
    return all((root / path).read_bytes() == content for path, content in outputs.items())


def begin(root: Path) -> None:
    """Makes a folder a repository with today's parameters."""
    git.run(root, "init", "--quiet")
    git.run(root, "config", "user.name", "Test")
    git.run(root, "config", "user.email", "test@example.com")
    shutil.copyfile(ROOT / "params.yaml", root / "params.yaml")


def commit(root: Path, metrics: Path) -> str:
    """Commits the metrics of a folder as the project's."""
    shutil.rmtree(root / "metrics", ignore_errors=True)
    shutil.copytree(metrics, root / "metrics")
    git.run(root, "add", "--all")
    git.run(root, "commit", "--quiet", "--message", "The demo")
    return git.commit_of(root, "HEAD")


def release(root: Path, commit: str, message: str) -> None:
    """Tags a commit as the first and best version."""
    content = tag_objects.new_object(root, TAG, commit, message)
    tag_objects.create_tags(root, {TAG: content, STAGE_TAG: tag_objects.renamed(content, STAGE_TAG)})


@pytest.fixture(scope="module", params=VERSIONS)
def kept(request: pytest.FixtureRequest) -> Kept:
    return Kept(HERE / request.param)


@pytest.fixture(scope="module")
def unpacked(kept: Kept, tmp_path_factory: pytest.TempPathFactory) -> Unpacked:
    folder = tmp_path_factory.mktemp("unpacked")
    subprocess.run(["tar", "-xf", kept.archive, "-C", folder], check=True)
    return Unpacked(folder)


@pytest.fixture(scope="module")
def clone(kept: Kept, unpacked: Unpacked, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The result of `archive restore`; its remote is the unpacked store."""
    root = tmp_path_factory.mktemp("restored") / "clone"
    restored = restore(kept.archive, root)
    with (root / ".dvc/config.local").open("a") as settings:
        settings.write(f"['remote \"store\"']\n    url = {unpacked.store}\n")
    return Clone(root, restored)


@pytest.fixture(scope="module")
def repository(kept: Kept, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with today's parameters and the old version's metrics and tag."""
    root = tmp_path_factory.mktemp("repository")
    begin(root)
    release(root, commit(root, kept.metrics), kept.message)
    return root
