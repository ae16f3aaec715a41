"""Repairs a store: replaces damaged objects by intact copies from another store."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from gogooku3.recovery.storage.failures import ObjectError
from gogooku3.recovery.storage.scan import Progress, Scan
from gogooku3.recovery.storage.store import Store


@dataclass(frozen=True)
class Repair:
    """The objects that were replaced, and the error of each that could not be read from the other store or written."""

    repaired: frozenset[str]
    failed: dict[str, ObjectError]


def repair_objects(store: Store, other: Store, scanned: Scan, progress: Progress) -> Repair:
    """Replaces the objects that a scan found damaged in `store` by intact copies from `other`.

    Files come first: DVC takes a directory for complete once its listing exists, so a listing is copied only after all
    its files. An object that cannot be copied does not keep the others from it.

    Raises:
        StoreError: one of the stores cannot be used.
    """
    files = [oid for oid in scanned.damage if not oid.endswith(".dir")]
    total = len(scanned.damage)

    def copy(oids: list[str], before: int) -> dict[str, bool | ObjectError]:
        return store.for_each(
            lambda oid: copy_object(oid, other, store), oids, lambda done: progress("repairing", before + done, total)
        )

    copied = copy(files, 0)
    unrepaired = {oid for oid, result in copied.items() if result is not True}
    directories = [
        oid
        for oid in scanned.damage
        if oid in scanned.listings and unrepaired.isdisjoint(entry.md5 for entry in scanned.listings[oid])
    ]
    copied |= copy(directories, len(files))
    return Repair(
        frozenset(oid for oid, result in copied.items() if result is True),
        {oid: result for oid, result in copied.items() if isinstance(result, ObjectError)},
    )


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
