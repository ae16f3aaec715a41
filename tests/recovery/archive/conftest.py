"""Fixtures: a test repository with a release, its archive, and a helper that forges archives."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gogooku3.recovery.archive.create import create
from gogooku3.recovery.archive.manifest import MANIFEST, Manifest, Member, decode, member_path
from gogooku3.recovery.archive.tar import end, header, padding
from gogooku3.recovery.promote import promote

TAG = "tier1@v1.1.0"


@dataclass
class Forgery:
    """The members of an archive, to be edited and written again in the archive's format."""

    members: dict[str, bytes]

    @property
    def manifest(self) -> Manifest:
        return decode(self.members[MANIFEST])

    def put(self, path: str, content: bytes, name: str | None = None) -> None:
        """Replaces a member's content (and name), in the manifest too."""
        entry = {"path": name or path, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        files = [
            dataclasses.replace(member, **entry) if member.path == path else member for member in self.manifest.files
        ]
        self.members = {(name or path) if key == path else key: value for key, value in self.members.items()}
        self.members[name or path] = content
        self.restate(files=tuple(files))

    def restate(self, **entries: Any) -> None:
        """Replaces entries of the manifest."""
        self.members[MANIFEST] = dataclasses.replace(self.manifest, **entries).encode()

    def order(self, objects: Iterable[Member], outputs: dict[str, str]) -> None:
        """Replaces the objects, sorted by name, in manifest and tar."""
        objects = sorted(objects, key=lambda member: str(member.object))
        content = json.loads(self.members[MANIFEST])
        documents = len(self.manifest.documents)
        content["files"] = [*content["files"][:documents], *(dataclasses.asdict(member) for member in objects)]
        content["outputs"] = outputs
        paths = [*list(self.members)[1 : documents + 1], *(member.path for member in objects)]
        manifest = {MANIFEST: (json.dumps(content, indent=1) + "\n").encode()}
        self.members = manifest | {path: self.members[path] for path in paths}

    def add_object(self, oid: str, content: bytes) -> None:
        self.members[member_path(oid)] = content
        member = Member(member_path(oid), len(content), hashlib.sha256(content).hexdigest())
        self.order([*self.manifest.objects.values(), member], self.manifest.outputs)

    def lose_object(self, oid: str) -> None:
        self.order([m for m in self.manifest.objects.values() if m.object != oid], self.manifest.outputs)

    def replace_object(self, before: str, after: str, content: bytes) -> None:
        """Replaces an object in every output that uses it."""
        self.add_object(after, content)
        manifest = self.manifest
        outputs = {path: after if oid == before else oid for path, oid in manifest.outputs.items()}
        self.order([m for m in manifest.objects.values() if m.object != before], outputs)

    def write(self, target: Path) -> Path:
        with target.open("wb") as file:
            for path, content in self.members.items():
                file.write(header(path, len(content)) + content + padding(len(content)))
            file.write(end(file.tell()))
        return target


def unpack(file: Path) -> dict[str, bytes]:
    """The members of a tar, by Python's own reader."""
    with tarfile.open(fileobj=io.BytesIO(file.read_bytes()), mode="r:") as tar:
        return {member.name: tar.extractfile(member).read() for member in tar.getmembers()}


@pytest.fixture(scope="session")
def released(trained: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A test repository with two releases of tier1; the second is the best."""
    lab = trained.copy(tmp_path_factory.mktemp("released"))
    promote(lab.folder, "tier1")
    lab.train(2, 0.07)
    assert promote(lab.folder, "tier1").tags == (TAG, "tier1#best#2")
    return lab


@pytest.fixture(scope="session")
def archived(released: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of the best release; read-only."""
    file = tmp_path_factory.mktemp("archived") / f"{TAG}.tar"
    create(released.folder, "tier1", file)
    file.chmod(0o444)
    return file


@pytest.fixture
def forgery(archived: Path) -> Forgery:
    return Forgery(unpack(archived))


@pytest.fixture
def forge(archived: Path, tmp_path: Path) -> Callable[[Callable[[Forgery], object]], Path]:
    """Writes an archive after a change."""

    def make(change: Callable[[Forgery], object]) -> Path:
        forged = Forgery(unpack(archived))
        change(forged)
        return forged.write(tmp_path / "forged.tar")

    return make
