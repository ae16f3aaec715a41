"""A cache is filled from several incomplete sources, and never with paths outside the repository."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from gogooku3.errors import DataError, StoreError
from gogooku3.recovery.pull import pull
from gogooku3.recovery.storage.fetch import FetchResult, fetch
from gogooku3.recovery.storage.lock import outputs
from gogooku3.recovery.storage.open import open_folder


@pytest.fixture
def copies(toy_source, tmp_path: Path) -> tuple[Path, Path]:
    """Two complete copies of the cache, to be damaged."""
    folders = tmp_path / "first", tmp_path / "second"
    for folder in folders:
        shutil.copytree(toy_source.folder / ".dvc/cache", folder)
    return folders


def placed(folder: Path, oid: str) -> Path:
    return folder / "files/md5" / oid[:2] / oid[2:]


def fetched(toy_source, target: Path, *folders: Path) -> FetchResult:
    sources = [open_folder(folder) for folder in folders]
    return fetch(open_folder(target), sources, outputs(toy_source.folder, None), lambda *_: None)


def test_a_listing_of_a_later_source_names_files_of_an_earlier_one(toy_source, copies, tmp_path: Path):
    first, second = copies
    placed(first, toy_source.object_of("data/parts")).unlink()
    placed(second, toy_source.object_of("data/parts/first.txt")).unlink()
    found = fetched(toy_source, tmp_path / "cache", first, second)
    assert (found.lost, sum(found.brought.values())) == ((), found.objects)
    assert all(found.brought.values())


def test_an_unreadable_copy_is_skipped_and_the_other_objects_of_its_source_are_used(toy_source, copies, tmp_path: Path):
    first, second = copies
    oid = toy_source.object_of("models/package/model.bin")
    placed(first, oid).unlink()
    placed(first, oid).mkdir()
    alone = fetched(toy_source, tmp_path / "alone", first)
    found = rf"1 of 6 objects: `models/package/model\.bin` \({oid}\): unreadable in {first} \(it is a folder\)"
    with pytest.raises(StoreError, match=f"no source has a readable, intact copy of {found}") as refused:
        alone.require_complete()
    assert "ls -ld" in refused.value.hint
    assert "train again" not in refused.value.hint
    both = fetched(toy_source, tmp_path / "cache", first, second)
    assert (both.lost, both.brought) == ((), {str(first): 5, str(second): 1})
    assert fetched(toy_source, tmp_path / "cache").lost == ()


@pytest.mark.parametrize("path", ["../../../outside.txt", "/outside.txt", "deep/../../x", ".git/config"])
def test_a_listing_with_path_traversal_is_not_checked_out(toy_source, tmp_path: Path, path: str):
    toy = type(toy_source)(tmp_path / "toy")
    shutil.copytree(toy_source.folder, toy.folder)
    own = toy.object_of("data/parts")
    listing = json.loads(toy.cached(own).read_bytes())
    listing[0]["relpath"] = path
    content = json.dumps(listing).encode()
    forged = hashlib.md5(content).hexdigest() + ".dir"
    toy.cached(forged).parent.mkdir(exist_ok=True)
    toy.cached(forged).write_bytes(content)
    lock = toy.folder / "dvc.lock"
    lock.write_text(lock.read_text().replace(own, forged))
    before = sorted(file for file in tmp_path.rglob("*") if ".dvc" not in file.parts)
    (toy.folder / ".dvc/config.local").write_text(f"['remote \"store\"']\n    url = {tmp_path / 'toy/.dvc/cache'}\n")
    with pytest.raises(DataError, match=r"`data/parts` .*altered"):
        pull(toy.folder, outputs(toy.folder, None))
    assert sorted(file for file in tmp_path.rglob("*") if ".dvc" not in file.parts) == before


def test_nothing_is_written_through_a_link_that_leads_out(toy_source, copies, tmp_path: Path):
    toy = type(toy_source)(tmp_path / "clone")
    shutil.copytree(toy_source.folder, toy.folder)
    shutil.rmtree(toy.folder / "models")
    (tmp_path / "elsewhere").mkdir()
    (toy.folder / "models").symlink_to("../elsewhere")
    (toy.folder / ".dvc/config.local").write_text(f"['remote \"store\"']\n    url = {copies[0]}\n")
    with pytest.raises(DataError, match="leads out of the repository"):
        pull(toy.folder, outputs(toy.folder, None))
    assert not list((tmp_path / "elsewhere").iterdir())
