"""Integrity scan of a store: which objects of the outputs are intact, missing, truncated, altered or unreadable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gogooku3.errors import StoreError
from gogooku3.recovery.storage.failures import ObjectError
from gogooku3.recovery.storage.listing import Entry, entries, expected_sizes
from gogooku3.recovery.storage.lock import Output
from gogooku3.recovery.storage.store import Store, StoredObject

Progress = Callable[[str, int, int], None]
"""Callback with the current activity, the number done, and the total."""


@dataclass(frozen=True)
class Damage:
    """Damage of one object: `missing`, `truncated`, `altered` or `unreadable`, and the sizes in bytes if known."""

    kind: str
    expected_size: int | None
    found_size: int | None
    reason: str = ""
    """Why an unreadable object cannot be read: it may be intact."""
    hint: str = ""
    """What to do about it; empty if an intact copy is all that it needs."""


@dataclass(frozen=True)
class Scan:
    """Result of a scan: the number of objects checked, how many of them were read and hashed, the damage by object, and
    the files of each directory whose listing is available, by the listing's object."""

    objects: int
    hashed: int
    damage: dict[str, Damage]
    listings: dict[str, list[Entry]]
    failures: tuple[StoreError, ...] = ()
    """Errors of other stores that may have the listings which no store gave."""


def scan(store: Store, others: Sequence[Store], outs: Iterable[Output], *, deep: bool, progress: Progress) -> Scan:
    """Checks every object of the outputs once; `deep` reads and hashes each, even if the store reports its MD5.

    If a directory's listing is damaged, an intact copy in one of `others` gives the names of its files.

    Raises:
        StoreError: the store as a whole cannot be used, at the start or any more at the end.
    """
    recorded = {output.md5: output for output in outs}
    bad_listings, listings, failures = _directories(store, others, sorted(o for o in recorded if recorded[o].is_dir))
    files = {oid for oid in recorded if not recorded[oid].is_dir}
    files |= {entry.md5 for listing in listings.values() for entry in listing}

    stored = _stored(store, files, progress) if store.has_listings else dict.fromkeys(files, StoredObject(None, None))
    unverified = sorted(oid for oid, each in stored.items() if deep or each.md5 is None)
    digests = store.for_each(store.digest, unverified, lambda done: progress("hashing", done, len(unverified)))
    unreadable = {oid: each for oid, each in digests.items() if isinstance(each, ObjectError)}
    for oid, digest in digests.items():
        if digest is None:  # if it was listed, it was removed after that
            del stored[oid]
        elif not isinstance(digest, ObjectError):
            stored[oid] = digest

    bad = {oid for oid in files if oid not in stored or stored[oid].md5 != oid or oid in unreadable}
    expected = expected_sizes(recorded, listings, {oid: each.size for oid, each in stored.items()}, bad)
    damage = bad_listings | {
        oid: _damage(expected.get(oid), stored.get(oid), unreadable.get(oid)) for oid in sorted(bad)
    }
    if any(each.kind == "missing" for each in damage.values()):
        store.connect()  # a store that disappeared during the scan has lost nothing
    directories = sum(output.is_dir for output in recorded.values())
    hashed = sum(isinstance(each, StoredObject) for each in digests.values()) + directories
    return Scan(len(files) + directories, hashed, damage, listings, failures)


def _stored(store: Store, files: set[str], progress: Progress) -> dict[str, StoredObject]:
    progress("looking up", 0, len(files))
    stored = store.look_up(files)
    progress("looking up", len(files), len(files))
    return stored


def _directories(
    store: Store, others: Sequence[Store], oids: list[str]
) -> tuple[dict[str, Damage], dict[str, list[Entry]], tuple[StoreError, ...]]:
    """Damaged listings, the files that each directory lists, and the errors of other stores that may have a listing."""
    damage: dict[str, Damage] = {}
    listings: dict[str, list[Entry]] = {}
    failures: list[StoreError] = []
    for oid, content in store.for_each(store.read, oids).items():
        listing = None if isinstance(content, ObjectError) else entries(oid, content)
        if listing is None:
            damage[oid] = _damaged_listing(content)
            listing = _copied_listing(oid, others, failures)
        if listing is not None:
            listings[oid] = listing
    return damage, listings, tuple(failures)


def _copied_listing(oid: str, others: Sequence[Store], failures: list[StoreError]) -> list[Entry] | None:
    """An intact copy of a listing; if there is none, the errors of the stores are added to `failures`."""
    errors = []
    for other in others:
        try:
            listing = entries(oid, other.read(oid))
        except ObjectError:
            continue
        except StoreError as error:
            errors.append(error)
            continue
        if listing is not None:
            return listing
    failures += errors
    return None


def _damaged_listing(content: bytes | ObjectError | None) -> Damage:
    """A listing is a JSON array: one without the closing bracket is truncated."""
    if content is None or isinstance(content, ObjectError):
        return _damage(None, None, content)
    return Damage("altered" if content.endswith(b"]") else "truncated", None, len(content))


def _damage(expected: int | None, stored: StoredObject | None, error: ObjectError | None) -> Damage:
    size = None if stored is None else stored.size
    if error is not None:
        return Damage("unreadable", expected, size, error.reason, error.hint)
    if stored is None:
        return Damage("missing", expected, None)
    shorter = size == 0 or (expected is not None and size is not None and size < expected)
    return Damage("truncated" if shorter else "altered", expected, size)
