"""Repairs a store: replaces damaged objects by intact copies from another store."""

from __future__ import annotations

import tempfile
from pathlib import Path

from gogooku3.recovery.storage.scan import Progress, Scan
from gogooku3.recovery.storage.store import Store


def repair_objects(store: Store, other: Store, scanned: Scan, progress: Progress) -> set[str]:
    """Replaces the objects that a scan found damaged in `store` by intact copies from `other`.

    Files come first: DVC takes a directory for complete once its listing exists, so a listing is copied only after all
    its files.

    Returns:
        The repaired objects.
    """
    files = [oid for oid in scanned.damage if not oid.endswith(".dir")]
    directories = [oid for oid in scanned.damage if oid.endswith(".dir")]
    repaired = set()
    for done, copied in enumerate(store.map_threads(lambda oid: copy_object(oid, other, store), files), start=1):
        if copied:
            repaired.add(files[done - 1])
        progress("repairing", done, len(scanned.damage))
    unrepaired = set(files) - repaired
    for done, oid in enumerate(directories, start=len(files) + 1):
        blocked = oid not in scanned.listings or any(entry.md5 in unrepaired for entry in scanned.listings[oid])
        if not blocked and copy_object(oid, other, store):
            repaired.add(oid)
        progress("repairing", done, len(scanned.damage))
    return repaired


def copy_object(oid: str, source: Store, target: Store) -> bool:
    """Copies an object from one store to another; False, with nothing changed, if the source has no intact copy.

    The object goes through a private temporary file, so the bytes that are hashed are the bytes that are stored.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "object"
        with copy.open("wb") as sink:
            stored = source.digest(oid, sink)
        if stored is None or stored.md5 != oid.removesuffix(".dir"):
            return False
        target.put(oid, copy)
    return True
