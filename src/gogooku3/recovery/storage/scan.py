"""One look at a store: which objects of some outputs it holds whole, and what is wrong with the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gogooku3.recovery.storage.listing import Entry, entries, expected_sizes
from gogooku3.recovery.storage.lock import Output
from gogooku3.recovery.storage.store import Store, StoredObject

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many are done, and of how many."""


@dataclass(frozen=True)
class Damage:
    """What is wrong with one object: `missing`, `truncated` or `altered`, and the sizes in bytes where known."""

    kind: str
    expected_size: int | None
    found_size: int | None


@dataclass(frozen=True)
class Scan:
    """What was seen: how many objects were asked for and how many of them read, the damage by object, and the files
    of each directory whose listing is at hand, by the listing's object."""

    objects: int
    hashed: int
    damage: dict[str, Damage]
    listings: dict[str, list[Entry]]


def scan(store: Store, others: Sequence[Store], outs: Iterable[Output], *, deep: bool, progress: Progress) -> Scan:
    """Looks at every object of some outputs once; `deep` reads and hashes each, whatever the store says of it.

    Where a directory's listing is damaged, its files are named by a good copy in one of `others`.
    """
    recorded = {output.md5: output for output in outs}
    lost, listings = _directories(store, others, sorted(oid for oid in recorded if recorded[oid].is_dir))
    files = {oid for oid in recorded if not recorded[oid].is_dir}
    files |= {entry.md5 for listing in listings.values() for entry in listing}

    progress("looking up", 0, len(files))
    held = store.look_up(files)
    progress("looking up", len(files), len(files))
    doubted = sorted(oid for oid, has in held.items() if deep or has.md5 is None)
    for done, oid_and_found in enumerate(zip(doubted, store.each(store.digest, doubted), strict=True), start=1):
        oid, found = oid_and_found
        if found is None:  # lost since it was listed
            del held[oid]
        else:
            held[oid] = found
        progress("hashing", done, len(doubted))

    bad = {oid for oid in files if oid not in held or held[oid].md5 != oid}
    expected = expected_sizes(recorded, listings, {oid: has.size for oid, has in held.items()}, bad)
    damage = lost | {oid: _damage(expected.get(oid), held.get(oid)) for oid in sorted(bad)}
    directories = sum(output.is_dir for output in recorded.values())
    return Scan(len(files) + directories, len(doubted) + directories, damage, listings)


def _directories(
    store: Store, others: Sequence[Store], oids: list[str]
) -> tuple[dict[str, Damage], dict[str, list[Entry]]]:
    """Damaged listings, and the files that each directory lists."""
    damage, listings = {}, {}
    for oid, content in zip(oids, store.each(store.read, oids), strict=True):
        listing = entries(oid, content)
        if listing is None:
            damage[oid] = _damaged_listing(content)
            copies = (entries(oid, other.read(oid)) for other in others)
            listing = next((copy for copy in copies if copy is not None), None)
        if listing is not None:
            listings[oid] = listing
    return damage, listings


def _damaged_listing(content: bytes | None) -> Damage:
    """A listing is a JSON array: one that does not end as such was cut off."""
    if content is None:
        return Damage("missing", None, None)
    return Damage("altered" if content.endswith(b"]") else "truncated", None, len(content))


def _damage(expected: int | None, found: StoredObject | None) -> Damage:
    if found is None:
        return Damage("missing", expected, None)
    shorter = found.size == 0 or (expected is not None and found.size is not None and found.size < expected)
    return Damage("truncated" if shorter else "altered", expected, found.size)
