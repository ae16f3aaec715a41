"""Outputs are compared by hash, and a recorded file is read only from a store that has intact bytes."""

from __future__ import annotations

from pathlib import Path

from gogooku3.recovery.reproduction.comparison import Compared, _RecordedFiles, compare
from gogooku3.recovery.reproduction.pipeline import Stage
from gogooku3.recovery.storage.open import open_folder

from ..storage.objects import oid_of, placed, write

CONTENT = b"recorded"


def recorded_files(tmp_path: Path, *stores: str) -> _RecordedFiles:
    return _RecordedFiles(tmp_path, "HEAD", [open_folder(tmp_path / name) for name in stores], tmp_path / "copy")


def test_a_recorded_file_is_not_read_from_a_store_that_has_altered_it(tmp_path: Path) -> None:
    oid = oid_of(CONTENT)
    write(tmp_path / "altered", oid, CONTENT + b"!")
    write(tmp_path / "intact", oid, CONTENT)
    found = recorded_files(tmp_path, "empty", "altered", "intact")
    assert [found._fetch(store, oid) for store in found.stores] == [False, False, True]
    assert found.copy.read_bytes() == CONTENT
    assert placed(tmp_path / "altered", oid).read_bytes() == CONTENT + b"!"


def test_outputs_are_the_same_by_hash_alone() -> None:
    here = {"a": "1" * 32, "b": "2" * 32}
    (one,) = compare([Stage("train", {}, here | {"c": "3" * 32})], [Stage("train", {}, here)], {})
    assert [output.same for output in one.outputs] == [True, True, False]
    assert not one.same
    assert Compared("a", "1" * 32, None).here is None
    (other,) = compare([Stage("train", {}, here)], [Stage("train", {}, here | {"b": "4" * 32})], {})
    assert [output.same for output in other.outputs] == [True, False]
