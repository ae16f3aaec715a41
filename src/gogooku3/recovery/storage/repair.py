"""Brings damaged objects again from another store that holds good copies."""

from __future__ import annotations

import tempfile
from pathlib import Path

from gogooku3.recovery.storage.scan import Progress, Scan
from gogooku3.recovery.storage.store import Store


def repair_objects(store: Store, other: Store, seen: Scan, progress: Progress) -> set[str]:
    """Replaces what a scan found damaged in `store` by good copies in `other`, where there are any: returns those.

    Files come first: DVC believes a directory whole once its listing is there, so that a listing is brought only when
    all its files are.
    """
    files = [oid for oid in seen.damage if not oid.endswith(".dir")]
    directories = [oid for oid in seen.damage if oid.endswith(".dir")]
    mended = set()
    for done, delivered in enumerate(store.each(lambda oid: copy_object(oid, other, store), files), start=1):
        if delivered:
            mended.add(files[done - 1])
        progress("repairing", done, len(seen.damage))
    unmended = set(files) - mended
    for done, oid in enumerate(directories, start=len(files) + 1):
        held_back = oid not in seen.listings or any(entry.md5 in unmended for entry in seen.listings[oid])
        if not held_back and copy_object(oid, other, store):
            mended.add(oid)
        progress("repairing", done, len(seen.damage))
    return mended


def copy_object(oid: str, source: Store, target: Store) -> bool:
    """Puts a good copy of an object from one store into another; False, and nothing done, where there is none.

    What is hashed is a private copy, and this copy is what is delivered.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "object"
        with copy.open("wb") as sink:
            held = source.digest(oid, sink)
        if held is None or held.md5 != oid.removesuffix(".dir"):
            return False
        target.put(oid, copy)
    return True
