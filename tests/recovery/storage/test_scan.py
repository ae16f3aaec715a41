"""A scan finds every object that is missing, truncated or altered; a deep one hashes all bytes itself."""

from __future__ import annotations

import os
import shutil
from itertools import count, islice
from pathlib import Path

import pytest

from gogooku3.recovery.storage.open import open_folder
from gogooku3.recovery.storage.scan import Damage, Scan, scan

from .objects import DIRECTORY, LISTED, LISTING, oid_of, placed, recorded, write, write_directory

FILE = LISTED["deep/b.txt"]
TOTAL = sum(len(content) for content in LISTED.values())


def scanned(folder: Path, *others: Path) -> Scan:
    stores = [open_folder(other) for other in others]
    return scan(open_folder(folder), stores, [recorded(DIRECTORY, TOTAL)], deep=True, progress=lambda *_: None)


def test_an_intact_directory_has_no_damage(tmp_path: Path) -> None:
    found = scanned(write_directory(tmp_path))
    assert (found.objects, found.hashed, found.damage) == (3, 3, {})
    assert [entry.path for entry in found.listings[DIRECTORY]] == list(LISTED)


@pytest.mark.parametrize(
    ("content", "damage"),
    [
        (None, Damage("missing", 600, None)),
        (FILE[:-1], Damage("truncated", 600, 599)),
        (b"", Damage("truncated", 600, 0)),
        (FILE[:-1] + b"x", Damage("altered", 600, 600)),
        (FILE + b"x", Damage("altered", 600, 601)),
    ],
    ids=["missing", "truncated", "empty", "altered", "longer"],
)
def test_a_damaged_file_is_found_with_its_kind_and_sizes(tmp_path: Path, content: bytes | None, damage: Damage) -> None:
    oid = oid_of(FILE)
    write_directory(tmp_path)
    if content is None:
        placed(tmp_path, oid).unlink()
    else:
        write(tmp_path, oid, content)
    assert scanned(tmp_path).damage == {oid: damage}


@pytest.mark.parametrize(
    ("content", "kind"), [(None, "missing"), (LISTING[:-1], "truncated"), (LISTING[:-1] + b" ]", "altered")]
)
def test_a_damaged_listing_hides_its_files_unless_another_store_has_it(
    tmp_path: Path, content: bytes | None, kind: str
) -> None:
    damaged, other = write_directory(tmp_path / "one"), write_directory(tmp_path / "other")
    placed(damaged, DIRECTORY).unlink()
    if content is not None:
        write(damaged, DIRECTORY, content)
    placed(damaged, oid_of(FILE)).unlink()
    alone = scanned(damaged)
    assert ({oid: each.kind for oid, each in alone.damage.items()}, alone.listings) == ({DIRECTORY: kind}, {})
    assert scanned(damaged, other).damage.keys() == {DIRECTORY, oid_of(FILE)}
    write(other, DIRECTORY, LISTING + b" ")  # no copy either
    assert scanned(damaged, other).listings == {}


def make_unreadable(folder: Path, kind: str) -> None:
    """Puts something else in the place of a folder of objects; or every object in it gives an error of the disk."""
    if kind == "failing disk":
        for file in folder.iterdir():
            file.unlink()
            file.symlink_to("/proc/self/mem")
        return
    shutil.rmtree(folder)
    if kind == "file":
        folder.write_text("not a folder")
    elif kind == "named pipe":
        os.mkfifo(folder)
    else:
        folder.symlink_to(folder.name)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("file", "its folder is a file"),
        ("named pipe", "its folder is a file"),
        ("loop of links", "it is a loop of symbolic links"),
        ("failing disk", "Input/output error"),
    ],
)
def test_one_unreadable_folder_is_reported_for_its_objects_alone(tmp_path: Path, kind: str, reason: str) -> None:
    """More objects in it, and before all others by name, than failures that show a dead store."""
    named = ((oid_of(content), content) for content in (str(number).encode() for number in count()))
    inside = dict(islice(((oid, content) for oid, content in named if oid.startswith("00")), 12))
    outside = dict(islice(((oid, content) for oid, content in named if not oid.startswith("00")), 20))
    for oid, content in (inside | outside).items():
        write(tmp_path, oid, content)
    make_unreadable(tmp_path / "files/md5/00", kind)
    outs = [recorded(oid) for oid in sorted(inside | outside)]
    found = scan(open_folder(tmp_path), [], outs, deep=True, progress=lambda *_: None)
    assert {oid: (each.kind, each.reason) for oid, each in found.damage.items()} == dict.fromkeys(
        inside, ("unreadable", reason)
    )
    assert (found.objects, found.hashed) == (32, 20)
