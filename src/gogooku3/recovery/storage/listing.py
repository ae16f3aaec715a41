"""What is inside a directory's object, and how large its files must be."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Set
from dataclasses import dataclass

from gogooku3.recovery.storage.lock import OBJECT, Output, is_inside


@dataclass(frozen=True)
class Entry:
    """A file of a directory: its path in it, and the hash under which the store keeps it."""

    path: str
    md5: str


def entries(oid: str, content: bytes | None) -> list[Entry] | None:
    """The files that a `.dir` object lists; None where the bytes are absent, not those that its name
    promises, or no listing: one that leads out of its directory is none."""
    if content is None or hashlib.md5(content, usedforsecurity=False).hexdigest() != oid.removesuffix(".dir"):
        return None
    try:
        listing = [Entry(item["relpath"], item["md5"]) for item in json.loads(content)]
    except (ValueError, KeyError, TypeError):
        return None
    whole = all(re.fullmatch(OBJECT, str(entry.md5)) and is_inside(str(entry.path)) for entry in listing)
    return listing if whole else None


def expected_sizes(
    recorded: Mapping[str, Output], listings: Mapping[str, list[Entry]], sizes: Mapping[str, int | None], bad: Set[str]
) -> dict[str, int]:
    """The sizes in bytes that damaged objects must have, where that can be told.

    `dvc.lock` records a file's size. Of a directory it records the sum, so that one damaged file's size is what the
    others leave of it: with a sum of 600 and good files of 100 and 200, the third must have 300.
    """
    expected = {oid: output.size for oid, output in recorded.items() if not output.is_dir and output.size is not None}
    for oid, listing in listings.items():
        damaged = [entry.md5 for entry in listing if entry.md5 in bad]
        total = recorded[oid].size
        if total is not None and len(damaged) == 1:
            others = [sizes.get(entry.md5) for entry in listing if entry.md5 not in bad]
            expected[damaged[0]] = total - sum(size for size in others if size is not None)
    return expected
