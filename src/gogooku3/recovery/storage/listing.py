"""Parses directory objects (`.dir`), the listings of a directory's files, and derives expected file sizes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Set
from dataclasses import dataclass

from gogooku3.recovery.storage.lock import OBJECT, Output, is_inside


@dataclass(frozen=True)
class Entry:
    """A file of a directory: its path in the directory, and its object's name (MD5) in the store."""

    path: str
    md5: str


def entries(oid: str, content: bytes | None) -> list[Entry] | None:
    """The files that a `.dir` object lists.

    None if the content is absent, does not have the MD5 of the object's name, or is not a valid listing. A listing with
    a path outside its directory (path traversal) is not valid.
    """
    if content is None or hashlib.md5(content, usedforsecurity=False).hexdigest() != oid.removesuffix(".dir"):
        return None
    try:
        listing = [Entry(item["relpath"], item["md5"]) for item in json.loads(content)]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    valid = all(re.fullmatch(OBJECT, str(entry.md5)) and is_inside(str(entry.path)) for entry in listing)
    return listing if valid else None


def expected_sizes(
    recorded: Mapping[str, Output], listings: Mapping[str, list[Entry]], sizes: Mapping[str, int | None], bad: Set[str]
) -> dict[str, int]:
    """The sizes in bytes that damaged objects must have, as far as they are known.

    `dvc.lock` records the size of a file and the total size of a directory. If one file of a directory is damaged, its
    size is the total minus the others: with a total of 600 and good files of 100 and 200, the third must have 300.
    """
    expected = {oid: output.size for oid, output in recorded.items() if not output.is_dir and output.size is not None}
    for oid, listing in listings.items():
        damaged = [entry.md5 for entry in listing if entry.md5 in bad]
        total = recorded[oid].size
        if total is not None and len(damaged) == 1:
            others = [sizes.get(entry.md5) for entry in listing if entry.md5 not in bad]
            expected[damaged[0]] = total - sum(size for size in others if size is not None)
    return expected
