"""A cache whose disk is not mounted is an error, and projects open if DVC's site cache cannot be written."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from gogooku3.errors import StoreError
from gogooku3.recovery.storage.lock import locked_tags, outputs
from gogooku3.recovery.storage.open import open_cache, remotes

from ..conftest import Toy


@pytest.fixture
def project(toy_source: Toy, tmp_path: Path) -> Toy:
    shutil.copytree(toy_source.folder, tmp_path / "project", symlinks=True)
    return Toy(tmp_path / "project")


@pytest.mark.parametrize("linked", [".dvc/cache", ".dvc/cache/files", ".dvc/cache/files/md5"])
def test_a_cache_behind_a_link_to_nothing_is_not_an_empty_one(project: Toy, tmp_path: Path, linked: str) -> None:
    oid, disk, link = project.object_of("models/package/model.bin"), tmp_path / "disk", project.folder / linked
    shutil.move(link, disk)
    link.symlink_to(disk)
    assert open_cache(project.folder).read(oid)
    disk.rename(tmp_path / "unmounted")
    with pytest.raises(StoreError, match=f"`{link}` is a link to `{disk}`, which does not exist") as refused:
        open_cache(project.folder)
    assert refused.value.hint == f"mount its disk; if it is lost, `rm {link}`, and DVC makes an empty cache"
    project.run("rm", str(link))
    assert open_cache(project.folder).read(oid) is None


@pytest.mark.parametrize("state", ["new", "used before"])
def test_a_site_cache_that_cannot_be_written_is_replaced_for_reading(
    project: Toy, tmp_path: Path, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a home that is read-only: DVC cannot make its folder there, or cannot write to its database."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.delenv("DVC_SITE_CACHE_DIR")
    if state == "new":
        project.local("core", site_cache_dir="/sys/dvc-site")  # nobody can make a folder in /sys
    else:
        project.local("core", site_cache_dir=str(tmp_path / "site"))
        project.run("dvc", "status", "--quiet", check=False)
        databases = [*(tmp_path / "site").rglob("cache.db")]
        for database in databases:
            database.unlink()
            database.mkdir()
        assert databases
    assert len(outputs(project.folder, None)) == len(outputs(project.folder, "toy@v1.0.0")) == 3
    assert locked_tags(project.folder) == ["toy@v1.0.0"]
    assert remotes(project.folder) == ["store"]
    assert open_cache(project.folder).read(project.object_of("models/package/model.bin"))
    assert not list(temporary.iterdir())
