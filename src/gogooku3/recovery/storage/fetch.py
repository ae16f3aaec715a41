"""Fills a cache with the objects of some outputs, from whoever has a good copy of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass

from gogooku3.errors import DataError, StoreError, abbreviate
from gogooku3.recovery.storage.lock import Output
from gogooku3.recovery.storage.repair import repair_objects
from gogooku3.recovery.storage.scan import Progress, Scan, scan
from gogooku3.recovery.storage.store import Store


@dataclass(frozen=True)
class Lost:
    """An object of which nobody has a good copy: the file at `path`, or the listing of the directory at `path`."""

    path: str
    object: str
    found: tuple[str, ...]
    """What each place had instead."""


@dataclass(frozen=True)
class Fetched:
    """How many objects were needed, how many came from where, and what came from nowhere."""

    objects: int
    fetched_from: dict[str, int]
    """By the place's name, in the order in which the places were asked; of one that failed, nothing is counted."""
    lost: tuple[Lost, ...]

    def require_whole(self) -> None:
        """Raises `DataError` that names what was lost, and what every place had instead."""
        if self.lost:
            told = (f"`{lost.path}` ({lost.object}): {', '.join(lost.found)}" for lost in self.lost)
            raise DataError(
                f"{len(self.lost)} of {self.objects} objects are nowhere whole: {abbreviate(told, separator='; ')}",
                hint="name another place (`--also FOLDER|ARCHIVE`), have a colleague who has them run"
                " `gogooku3 audit --repair`, or train anew in a fresh clone (`dvc repro`)",
            )


def fetch(cache: Store, sources: Iterable[Store], outs: Sequence[Output], progress: Progress) -> Fetched:
    """Brings every object of some outputs, directory children included, into a cache.

    What lies there whole stays, so that an interrupted fetch continues. Everything else comes from the first source
    that has a good copy, hashed on the way; a directory's listing comes after its files. A source that fails is passed
    over.

    Raises the first `StoreError` where something is still missing that a source which failed may have; what was brought
    stays.
    """
    seen = scan(cache, (), outs, deep=True, progress=progress)
    paths = _paths(outs, seen)
    bad = set(seen.damage)
    left = _needing(outs, seen, bad)
    asked: list[Store] = []
    failures: list[StoreError] = []
    fetched_from: Counter[str] = Counter()
    for source in _in_turn(sources, asked, failures) if left else ():
        try:
            seen = scan(cache, (source, *asked), left, deep=True, progress=progress)
            mended = repair_objects(cache, source, seen, progress)
        except StoreError as error:
            failures.append(error)
            continue
        paths |= _paths(left, seen)
        bad = seen.damage.keys() - mended
        left = _needing(left, seen, bad)
        fetched_from[source.name] += len(mended)
        if source not in asked:
            asked.append(source)
        if not left:
            break
    if left and failures:
        raise failures[0]
    others = (cache, *asked)
    there = [(place, scan(place, others, left, deep=True, progress=progress).damage) for place in asked if left]
    lost = [
        Lost(paths[oid], oid, tuple(f"{damage[oid].kind} in {place.name}" for place, damage in there if oid in damage))
        for oid in sorted(bad, key=paths.__getitem__)
    ]
    return Fetched(len(paths), dict(fetched_from), tuple(lost))


def _in_turn(sources: Iterable[Store], asked: Sequence[Store], failures: list[StoreError]) -> Iterator[Store]:
    """Every source, then all once more: a listing that one of the last has names files that the first may have."""
    try:
        yield from sources
    except StoreError as error:
        failures.append(error)
    yield from tuple(asked) if len(asked) > 1 else ()


def _paths(outs: Iterable[Output], seen: Scan) -> dict[str, str]:
    """Every object of some outputs that is known by name, with the path that it has there."""
    paths = {output.md5: output.path for output in outs}
    for output in outs:
        paths |= {entry.md5: f"{output.path}/{entry.path}" for entry in seen.listings.get(output.md5, [])}
    return paths


def _needing(outs: Iterable[Output], seen: Scan, bad: Set[str]) -> list[Output]:
    """The outputs to which one of some objects belongs."""
    return [output for output in outs if not bad.isdisjoint(_paths([output], seen))]
