"""Integrity scan of a store: which objects of the outputs are intact, missing, truncated or altered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gogooku3.recovery.storage.listing import Entry, entries, expected_sizes
from gogooku3.recovery.storage.lock import Output
from gogooku3.recovery.storage.store import Store, StoredObject

Progress = Callable[[str, int, int], None]
"""Callback with the current activity, the number done, and the total."""


@dataclass(frozen=True)
class Damage:
    """Damage of one object: `missing`, `truncated` or `altered`, and the sizes in bytes if known."""

    kind: str
    expected_size: int | None
    found_size: int | None


@dataclass(frozen=True)
class Scan:
    """Result of a scan: the number of objects checked, how many of them were read and hashed, the damage by object, and
    the files of each directory whose listing is available, by the listing's object."""

    objects: int
    hashed: int
    damage: dict[str, Damage]
    listings: dict[str, list[Entry]]


def scan(store: Store, others: Sequence[Store], outs: Iterable[Output], *, deep: bool, progress: Progress) -> Scan:
    """Checks every object of the outputs once; `deep` reads and hashes each, even if the store reports its MD5.

    If a directory's listing is damaged, an intact copy in one of `others` gives the names of its files.
    """
    recorded = {output.md5: output for output in outs}
    bad_listings, listings = _directories(store, others, sorted(oid for oid in recorded if recorded[oid].is_dir))
    files = {oid for oid in recorded if not recorded[oid].is_dir}
    files |= {entry.md5 for listing in listings.values() for entry in listing}

    progress("looking up", 0, len(files))
    stored = store.look_up(files)
    progress("looking up", len(files), len(files))
    unverified = sorted(oid for oid, each in stored.items() if deep or each.md5 is None)
    digests = zip(unverified, store.map_threads(store.digest, unverified), strict=True)
    for done, (oid, digest) in enumerate(digests, start=1):
        if digest is None:  # removed after it was listed
            del stored[oid]
        else:
            stored[oid] = digest
        progress("hashing", done, len(unverified))

    bad = {oid for oid in files if oid not in stored or stored[oid].md5 != oid}
    expected = expected_sizes(recorded, listings, {oid: each.size for oid, each in stored.items()}, bad)
    damage = bad_listings | {oid: _damage(expected.get(oid), stored.get(oid)) for oid in sorted(bad)}
    directories = sum(output.is_dir for output in recorded.values())
    return Scan(len(files) + directories, len(unverified) + directories, damage, listings)


def _directories(
    store: Store, others: Sequence[Store], oids: list[str]
) -> tuple[dict[str, Damage], dict[str, list[Entry]]]:
    """Damaged listings, and the files that each directory lists."""
    damage, listings = {}, {}
    for oid, content in zip(oids, store.map_threads(store.read, oids), strict=True):
        listing = entries(oid, content)
        if listing is None:
            damage[oid] = _damaged_listing(content)
            copies = (entries(oid, other.read(oid)) for other in others)
            listing = next((copy for copy in copies if copy is not None), None)
        if listing is not None:
            listings[oid] = listing
    return damage, listings


def _damaged_listing(content: bytes | None) -> Damage:
    """A listing is a JSON array: one without the closing bracket is truncated."""
    if content is None:
        return Damage("missing", None, None)
    return Damage("altered" if content.endswith(b"]") else "truncated", None, len(content))


def _damage(expected: int | None, stored: StoredObject | None) -> Damage:
    if stored is None:
        return Damage("missing", expected, None)
    shorter = stored.size == 0 or (expected is not None and stored.size is not None and stored.size < expected)
    return Damage("truncated" if shorter else "altered", expected, stored.size)
