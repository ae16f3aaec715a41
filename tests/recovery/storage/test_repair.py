"""Only intact copies repair a store, and a listing comes after all its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from gogooku3.recovery.storage.open import open_folder
from gogooku3.recovery.storage.repair import copy_object, repair_objects
from gogooku3.recovery.storage.scan import scan

from .objects import DIRECTORY, LISTED, LISTING, oid_of, placed, recorded, write, write_directory

FILES = {oid_of(content): content for content in LISTED.values()}


def repaired(store: Path, other: Path) -> frozenset[str]:
    """Repairs the directory of a store from another one."""
    stores = open_folder(store), open_folder(other)
    scanned = scan(stores[0], stores[1:], [recorded(DIRECTORY)], deep=True, progress=lambda *_: None)
    return repair_objects(*stores, scanned, lambda *_: None).repaired


@pytest.mark.parametrize("oid", [*FILES, DIRECTORY])
@pytest.mark.parametrize("damage", [lambda content: None, lambda content: content[:-1], lambda content: content + b" "])
def test_a_copy_with_another_hash_is_not_taken(tmp_path: Path, oid: str, damage) -> None:
    source, target = write_directory(tmp_path / "source"), tmp_path / "target"
    content = damage(placed(source, oid).read_bytes())
    if content is None:
        placed(source, oid).unlink()
    else:
        write(source, oid, content)
    write(target, oid, b"before")
    assert not copy_object(oid, open_folder(source), open_folder(target))
    assert placed(target, oid).read_bytes() == b"before"


def test_an_empty_store_gets_every_object(tmp_path: Path) -> None:
    other = write_directory(tmp_path / "other")
    assert repaired(tmp_path / "store", other) == {DIRECTORY, *FILES}
    for oid, content in {**FILES, DIRECTORY: LISTING}.items():
        assert placed(tmp_path / "store", oid).read_bytes() == content


def test_a_listing_is_not_copied_while_one_of_its_files_is_missing(tmp_path: Path) -> None:
    """DVC takes a directory for complete once its listing exists."""
    other = write_directory(tmp_path / "other")
    first, second = FILES
    write(other, second, b"altered")
    assert repaired(tmp_path / "store", other) == {first}
    assert not placed(tmp_path / "store", DIRECTORY).exists()
    write(other, second, FILES[second])
    assert repaired(tmp_path / "store", other) == {second, DIRECTORY}
