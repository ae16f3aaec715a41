"""The listing of a directory is used only if its bytes have the hash of its name and its paths stay inside."""

from __future__ import annotations

import json

import pytest

from gogooku3.recovery.storage.listing import Entry, entries, expected_sizes

from .objects import DIRECTORY, LISTED, LISTING, listing_of, oid_of, recorded


def test_a_listing_names_the_files_and_their_objects() -> None:
    assert entries(DIRECTORY, LISTING) == [Entry(path, oid_of(content)) for path, content in LISTED.items()]


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        LISTING[:-1],
        LISTING + b" ",  # the same files, other bytes
        listing_of({"a.txt": b"forged"}),
    ],
    ids=["absent", "empty", "truncated", "padded", "forged"],
)
def test_a_listing_with_another_hash_than_its_name_is_not_used(content: bytes | None) -> None:
    assert entries(DIRECTORY, content) is None


@pytest.mark.parametrize(
    "content",
    [
        listing_of({"../a.txt": b""}),
        listing_of({"/a.txt": b""}),
        listing_of({"deep//a.txt": b""}),
        listing_of({".git/config": b""}),
        listing_of({"deep/.DVC/config": b""}),
        listing_of({"a\\b": b""}),
        listing_of({"a.txt": b"", "deep/../../b": b""}),
        json.dumps([{"md5": "../../x", "relpath": "a.txt"}]).encode(),
        json.dumps([{"md5": oid_of(b"") + "0", "relpath": "a.txt"}]).encode(),
        json.dumps([{"relpath": "a.txt"}]).encode(),
        json.dumps({"a.txt": oid_of(b"")}).encode(),
        b"not JSON",
    ],
)
def test_a_listing_that_leads_elsewhere_or_is_none_is_not_used(content: bytes) -> None:
    assert entries(f"{oid_of(content)}.dir", content) is None


def test_the_size_of_one_damaged_file_is_the_total_minus_the_others() -> None:
    files = entries(DIRECTORY, LISTING)
    assert files is not None
    first, second = (entry.md5 for entry in files)
    outs, listings, sizes = {DIRECTORY: recorded(DIRECTORY, 600)}, {DIRECTORY: files}, {first: 200, second: 1}
    assert expected_sizes(outs, listings, sizes, {second}) == {second: 400}
    assert expected_sizes(outs, listings, sizes, {first, second}) == {}
    assert expected_sizes({DIRECTORY: recorded(DIRECTORY)}, listings, sizes, {second}) == {}
    assert expected_sizes({first: recorded(first, 7)}, {}, {}, {first}) == {first: 7}
