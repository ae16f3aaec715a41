"""Every kind of damage to every object: found, never used as intact, and repaired."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gogooku3.errors import DataError
from gogooku3.recovery.audit import audit
from gogooku3.recovery.promote import promote
from gogooku3.recovery.recover import recover
from gogooku3.recovery.storage import lock
from gogooku3.recovery.storage.listing import entries
from gogooku3.recovery.verify import verify

from ..conftest import KINDS


@dataclass(frozen=True)
class Release:
    """A released model with a folder as its bucket, and its objects by path."""

    lab: Any
    settings: Path
    objects: dict[str, str]

    @property
    def bucket(self) -> Path:
        return Path(self.lab.bucket)

    @property
    def cache(self) -> Path:
        return Path(self.lab.folder / ".dvc/cache")

    def recover(self, target: Path) -> None:
        shutil.rmtree(target, ignore_errors=True)
        recover(str(self.lab.folder), "tier1", target, data=True, settings=self.settings)

    def problems(self, **how: bool) -> dict[str, str]:
        """The problems of an audit, by object."""
        return {p.object: p.damage.kind for p in audit(self.lab.folder, ["tier1@v1.0.0"], **how).problems}


@pytest.fixture
def release(trained: Any, tmp_path: Path) -> Release:
    lab = trained.copy(tmp_path)
    promote(lab.folder, "tier1")
    settings = tmp_path / "settings"
    settings.write_text(f"['remote \"store\"']\n    url = {lab.bucket}\n")
    objects = {}
    for output in lock.outputs(lab.folder, None):
        objects[output.path] = output.md5
        if output.is_dir:
            listing = entries(output.md5, at(lab.bucket, output.md5).read_bytes()) or []
            objects |= {f"{output.path}/{entry.path}": entry.md5 for entry in listing}
    assert {"data/dataset", "data/dataset/schema.json", "models/package/model.safetensors"} < objects.keys()
    return Release(lab, settings, objects)


def at(store: Path, oid: str) -> Path:
    return store / "files/md5" / oid[:2] / oid[2:]


def spoilt(release: Release, store: Path, kind: str) -> Iterator[tuple[str, str]]:
    """Damages one object after the other; each must be intact again before the next."""
    for path, oid in release.objects.items():
        file = at(store, oid)
        content = file.read_bytes()
        file.unlink()
        if kind != "missing":
            file.write_bytes(KINDS[kind](content))
            file.chmod(0o444)  # DVC takes a read-only cache file for intact
        yield path, oid
        assert hashlib.md5(at(store, oid).read_bytes()).hexdigest() == oid.removesuffix(".dir")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_damage_in_the_bucket(release: Release, kind: str, tmp_path: Path) -> None:
    for path, oid in spoilt(release, release.bucket, kind):
        assert release.problems() == {oid: kind}, path
        with pytest.raises(DataError, match="no source has an intact copy") as refused:
            release.recover(tmp_path / "back")
        assert oid in refused.value.message
        assert release.problems(repair=True) == {}, path
    release.recover(tmp_path / "back")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_damage_in_the_local_cache(release: Release, kind: str) -> None:
    lab, package = release.lab, release.lab.folder / "models/package"

    def verified() -> bool:
        return verify(package, dataset=None, lock=lab.folder / "dvc.lock").good

    for path, oid in spoilt(release, release.cache, kind):
        assert release.problems(local=True) == {oid: kind}, path
        if path.startswith("models/package/"):
            (lab.folder / path).unlink()
            lab.run("dvc", "checkout", path, check=kind != "missing")  # checked out without a warning
            assert not verified(), path
        assert release.problems(local=True, repair=True) == {}, path
        if path.startswith("models/package/"):
            (lab.folder / path).unlink(missing_ok=True)
            lab.run("dvc", "pull", path)
            assert verified(), path
