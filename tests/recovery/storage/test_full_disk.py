"""A store on a full disk: the error names the object's path there, and no part of an object is left."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from gogooku3.errors import MachineError
from gogooku3.recovery.storage.fetch import fetch
from gogooku3.recovery.storage.lock import Output
from gogooku3.recovery.storage.open import open_folder

from ...disks import Disk, mounted

CONTENTS = [bytes([number]) * 30_000 for number in range(4)]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with mounted(tmp_path / "disk", "64k") as small:
        yield small


def files(folder: Path) -> list[bytes]:
    return sorted(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_fetch_names_the_disk_of_the_cache_and_completes_after_space_was_freed(disk: Disk, tmp_path: Path) -> None:
    source, outs = tmp_path / "remote", []
    for number, content in enumerate(CONTENTS):
        oid = hashlib.md5(content).hexdigest()
        path = source / "files/md5" / oid[:2] / oid[2:]
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        outs.append(Output("stage", f"data/{number}", oid, len(content), None, False))
    cache = open_folder(disk.folder)
    with pytest.raises(MachineError, match=f"`{disk.folder}/files/md5/.*No space left on device"):
        fetch(cache, [open_folder(source)], outs, lambda *_: None)
    assert all(content in CONTENTS for content in files(disk.folder)), "no part of an object is left"
    disk.remount("size=1m")
    assert fetch(cache, [open_folder(source)], outs, lambda *_: None).lost == ()
    assert files(disk.folder) == files(source) == CONTENTS
