"""Fixtures: a tiny real Git and DVC repository that is pushed to a bucket."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from ..conftest import KINDS, Bucket
from .lab import lab, trained, training  # noqa: F401

PIPELINE = """
stages:
  parts:
    cmd: >-
      mkdir -p data/parts/deep && cp constant.txt data/parts/constant.txt &&
      sed 's/^/first /' seed.txt > data/parts/first.txt && sed 's/^/second /' seed.txt > data/parts/deep/second.txt
    deps: [constant.txt, seed.txt]
    outs: [data/parts]
  model:
    cmd: >-
      mkdir -p models/package && sed 's/^/weights /' seed.txt > models/package/model.bin &&
      sed 's/^/config /' seed.txt > models/package/config.json && sed 's/^/score /' seed.txt > score.txt
    deps: [data/parts, seed.txt]
    outs:
      - models/package/model.bin
      - models/package/config.json
      - score.txt:
          cache: false
"""

UNSTABLE = """
stages:
  draw:
    cmd: python -c "import os; open('draw.bin', 'wb').write(os.urandom(8)); open('same.txt', 'w').write('same')"
    deps: [seed.txt]
    params: [level]
    outs: [draw.bin, same.txt]
  measure:
    cmd:
      - mkdir -p measured
      - cat seed.txt machine.txt > measured/all.txt
    deps: [seed.txt]
    outs: [measured]
"""


@dataclass(frozen=True)
class Toy:
    """A Git and DVC repository with one directory output and two single-file outputs, and commands run in it."""

    folder: Path

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            command, cwd=self.folder, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
        return done

    def commit(self, message: str, *, tag: str | None = None) -> None:
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)
        if tag:
            self.run("git", "tag", tag)

    def revise(self, seed: str, *, tag: str | None = None) -> None:
        """Changes every output except `data/parts/constant.txt`, reproduces and commits."""
        (self.folder / "seed.txt").write_text(f"{seed}\n" * 20)
        self.run("dvc", "repro", "--quiet")
        self.commit(seed, tag=tag)

    def local(self, section: str, **settings: str) -> None:
        """Writes settings into `.dvc/config.local`, which Git does not see."""
        with (self.folder / ".dvc/config.local").open("a") as config:
            config.write(f"[{section}]\n" + "".join(f"    {key} = {value}\n" for key, value in settings.items()))

    def point_at(self, bucket: Bucket) -> None:
        access = {"endpointurl": bucket.endpoint, "allow_anonymous_login": "true"}
        self.local("'remote \"store\"'", url=bucket.url, **access)

    def clone(self, target: Path) -> Toy:
        """A fresh clone with access to the bucket and an empty cache."""
        self.run("git", "clone", "--quiet", str(self.folder), str(target))
        shutil.copyfile(self.folder / ".dvc/config.local", target / ".dvc/config.local")
        return Toy(target)

    def object_of(self, path: str) -> str:
        """The object of an output, or of a file in the directory output, as in the working tree."""
        if (self.folder / path).is_dir():
            return re.search(rf"path: {path}\n +hash: md5\n +md5: (\S+)", (self.folder / "dvc.lock").read_text())[1]
        return hashlib.md5((self.folder / path).read_bytes()).hexdigest()

    def spoil_cached(self, oid: str, kind: str) -> None:
        """Like `Bucket.spoil` for the local cache, without DVC noticing."""
        cached = self.cached(oid)
        if kind == "missing":
            cached.unlink()
        else:
            cached.chmod(0o644)
            cached.write_bytes(KINDS[kind](cached.read_bytes()))
            cached.chmod(0o444)  # DVC takes a read-only cache file for intact

    def cached(self, oid: str) -> Path:
        """The local cache's file of an object."""
        return self.folder / ".dvc/cache/files/md5" / oid[:2] / oid[2:]

    def outputs(self) -> dict[str, bytes]:
        """The bytes of every cached output's files, by path."""
        files = [path for top in ("data", "models") for path in (self.folder / top).rglob("*") if path.is_file()]
        files = [path for path in files if path.name != ".gitignore"]
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in sorted(files)}


@pytest.fixture(scope="session")
def toy_source(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """The toy repository, reproduced and committed; tests work on copies of it."""
    toy = Toy(tmp_path_factory.mktemp("toy") / "source")
    toy.folder.mkdir()
    toy.run("git", "init", "--quiet", "--initial-branch=main")
    toy.run("git", "config", "user.name", "Test")
    toy.run("git", "config", "user.email", "test@example.com")
    toy.run("dvc", "init", "--quiet")
    (toy.folder / ".dvc/config").write_text(
        "[core]\n    remote = store\n    analytics = false\n    check_update = false\n    autostage = false\n"
        "['remote \"store\"']\n    url = gs://elsewhere/store\n    verify = true\n"
    )
    (toy.folder / ".dvc/.gitignore").write_text("/config.local\n/tmp\n/cache\n")
    (toy.folder / "dvc.yaml").write_text(PIPELINE)
    (toy.folder / "constant.txt").write_text("constant\n" * 20)
    toy.revise("one", tag="toy@v1.0.0")
    return toy


@pytest.fixture
def toy(toy_source: Toy, bucket: Bucket, tmp_path: Path) -> Toy:
    """A copy of the toy repository whose remote is `bucket`; nothing is pushed yet."""
    copy = Toy(tmp_path / "toy")
    shutil.copytree(toy_source.folder, copy.folder, symlinks=True)
    copy.point_at(bucket)
    return copy


@pytest.fixture(scope="session")
def unstable_source(toy_source: Toy, tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """A repository whose stage `draw` is not deterministic, and whose stage `measure` reads a file that it does
    not declare; both have run once."""
    copy = Toy(tmp_path_factory.mktemp("unstable") / "source")
    shutil.copytree(toy_source.folder, copy.folder, symlinks=True, ignore=shutil.ignore_patterns("cache", "dvc.lock"))
    (copy.folder / "dvc.yaml").write_text(UNSTABLE)
    (copy.folder / "params.yaml").write_text("level: 1.0e-05\n")
    (copy.folder / "machine.txt").write_text("one machine\n")
    (copy.folder / ".gitignore").write_text("/machine.txt\n")
    copy.run("dvc", "repro", "--quiet")
    copy.commit("Unstable stages", tag="unstable@v1.0.0")
    return copy


@pytest.fixture
def unstable(unstable_source: Toy, tmp_path: Path) -> Toy:
    """A copy of the repository with unstable stages; its run cache records one run of each."""
    copy = Toy(tmp_path / "unstable")
    shutil.copytree(unstable_source.folder, copy.folder, symlinks=True)
    return copy


@pytest.fixture(scope="session")
def pushed_objects(toy_source: Toy, emulator: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The contents of a bucket after a real `dvc push` of the toy repository."""
    source = Bucket(emulator, "pushed")
    source.make()
    copy = Toy(tmp_path_factory.mktemp("pushed") / "toy")
    shutil.copytree(toy_source.folder, copy.folder, symlinks=True)
    copy.point_at(source)
    copy.run("dvc", "push", "--quiet")
    return source.contents()


@pytest.fixture
def pushed(toy: Toy, bucket: Bucket, pushed_objects: dict[str, bytes]) -> Toy:
    """The toy repository, pushed to `bucket` by `dvc push`."""
    for name, content in pushed_objects.items():
        bucket.write(name, content)
    return toy
