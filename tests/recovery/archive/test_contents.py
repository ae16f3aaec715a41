"""The weights of an archive are those that its tag records, and its objects are those that its listings name."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from gogooku3 import paths
from gogooku3.errors import DataError, MismatchError
from gogooku3.recovery.archive.contents import objects, require_released
from gogooku3.recovery.archive.create import _object_member
from gogooku3.recovery.archive.manifest import Manifest, Member, member_path
from gogooku3.recovery.storage.lock import Output
from gogooku3.recovery.storage.open import open_folder

from ..storage.objects import DIRECTORY, LISTED, LISTING, oid_of, placed, recorded, write

WEIGHTS = b"weights"
OID, SHA256 = oid_of(WEIGHTS), hashlib.sha256(WEIGHTS).hexdigest()


def manifest(model_sha256: str, path: str = str(paths.PACKAGED_WEIGHTS)) -> Manifest:
    files = (Member(member_path(OID), len(WEIGHTS), SHA256),)
    return Manifest(1, "tier1@v1.0.0", None, "0" * 40, model_sha256, {path: OID}, files)


def test_weights_with_the_recorded_hash_are_released() -> None:
    require_released(manifest(SHA256))


@pytest.mark.parametrize(
    ("changed", "text"),
    [(manifest("0" * 64), f"has {SHA256}"), (manifest(SHA256, "models/package/other.bin"), "has no weights")],
)
def test_other_weights_than_the_recorded_ones_are_refused(changed: Manifest, text: str) -> None:
    with pytest.raises(MismatchError, match=text):
        require_released(changed)


@pytest.mark.parametrize("content", [None, WEIGHTS[:-1], WEIGHTS + b"!"], ids=["missing", "truncated", "altered"])
def test_an_object_that_changes_while_it_is_archived_is_refused(tmp_path: Path, content: bytes | None) -> None:
    cache = open_folder(tmp_path)
    write(tmp_path, OID, WEIGHTS)
    assert _object_member(cache, OID) == Member(member_path(OID), len(WEIGHTS), SHA256)
    if content is None:
        placed(tmp_path, OID).unlink()
    else:
        write(tmp_path, OID, content)
    with pytest.raises(DataError, match=f"the object `{OID}` changed in .* while it was archived"):
        _object_member(cache, OID)


def test_objects_are_those_of_the_outputs_and_of_the_files_in_their_directories() -> None:
    outs = [recorded(DIRECTORY), Output("stage", "model.bin", OID, None, None, False)]
    assert objects(outs, lambda oid: LISTING) == sorted([OID, DIRECTORY, *map(oid_of, LISTED.values())])
    with pytest.raises(DataError, match="is not a valid listing of a directory"):
        objects(outs, lambda oid: LISTING + b" ")
