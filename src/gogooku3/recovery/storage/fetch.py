"""Fetches the objects of outputs into a cache, each from the first source that has an intact copy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass

from gogooku3.errors import DataError, StoreError, UserError, abbreviate
from gogooku3.recovery.storage.failures import ObjectError
from gogooku3.recovery.storage.lock import Output
from gogooku3.recovery.storage.repair import repair_objects
from gogooku3.recovery.storage.scan import Progress, Scan, scan
from gogooku3.recovery.storage.store import Store


@dataclass(frozen=True)
class MissingObject:
    """An object without an intact copy in any source: the file at `path`, or the listing of the directory at `path`."""

    path: str
    object: str
    found: tuple[str, ...]
    """What each source has instead."""
    hint: str = ""
    """What to do about a copy that cannot be read; empty if there is none."""


@dataclass(frozen=True)
class FetchResult:
    """Result of a fetch: the number of objects needed, how many each source supplied, and which are missing."""

    objects: int
    brought: dict[str, int]
    """Number of objects by source, in the order in which sources were read, without failed ones (a key of `--json`)."""
    lost: tuple[MissingObject, ...]

    def require_complete(self) -> None:
        """Raises an error that lists the missing objects and what every source has instead.

        It is a `StoreError` if a copy cannot be read, which may be intact, and otherwise a `DataError`.
        """
        if not self.lost:
            return
        missing = abbreviate(
            (f"`{each.path}` ({each.object}): {', '.join(each.found)}" for each in self.lost), separator="; "
        )
        number = f"{len(self.lost)} of {self.objects} objects"
        hint = next((each.hint for each in self.lost if each.hint), None)
        if hint is not None:
            raise StoreError(
                f"no source has a readable, intact copy of {number}: {missing}",
                hint=f"{hint}; or add a source (`--also FOLDER|ARCHIVE`)",
            )
        raise DataError(
            f"no source has an intact copy of {number}: {missing}",
            hint="add a source (`--also FOLDER|ARCHIVE`), ask a colleague who has them to run"
            " `gogooku3 audit --repair`, or train again in a fresh clone (`dvc repro`)",
        )


def fetch(cache: Store, sources: Iterable[Store], outs: Sequence[Output], progress: Progress) -> FetchResult:
    """Fetches every object of the outputs, files inside directories included, into a cache.

    Intact objects stay, so an interrupted fetch resumes. Each other object comes from the first source with an intact
    copy, hashed on the way; a directory's listing is written after its files. A source that fails is skipped, and so is
    a copy that cannot be read.

    Raises the error of the first object that could not be written to the cache, or else that of the first failed source
    if objects are missing that it may have; objects already fetched stay.
    """
    scanned = scan(cache, (), outs, deep=True, progress=progress)
    paths = _paths(outs, scanned)
    bad = set(scanned.damage)
    incomplete = _outputs_with(outs, scanned, bad)
    used: list[Store] = []
    failures: list[UserError] = []
    unwritten: dict[str, ObjectError] = {}
    counts: Counter[str] = Counter()
    for source in _two_passes(sources, used, failures) if incomplete else ():
        try:
            scanned = scan(cache, (source, *used), incomplete, deep=True, progress=progress)
            failures += scanned.failures
            repair = repair_objects(cache, source, scanned, progress)
        except StoreError as error:
            failures.append(error)
            continue
        paths |= _paths(incomplete, scanned)
        unwritten |= {oid: error for oid, error in repair.failed.items() if error.writing}
        bad = scanned.damage.keys() - repair.repaired
        incomplete = _outputs_with(incomplete, scanned, bad)
        counts[source.name] += len(repair.repaired)
        if source not in used:
            used.append(source)
        if not incomplete:
            break
    if incomplete and (errors := [*(unwritten[oid] for oid in sorted(bad & unwritten.keys())), *failures]):
        raise errors[0]
    stores = (cache, *used)
    final = used if incomplete else []
    damages = [(each, scan(each, stores, incomplete, deep=True, progress=progress).damage) for each in final]
    missing = []
    for oid in sorted(bad, key=paths.__getitem__):
        found = [(store.name, damage[oid]) for store, damage in damages if oid in damage]
        texts = (f"{each.kind} in {name}{f' ({each.reason})' if each.reason else ''}" for name, each in found)
        missing.append(MissingObject(paths[oid], oid, tuple(texts), next((e.hint for _, e in found if e.hint), "")))
    return FetchResult(len(paths), dict(counts), tuple(missing))


def _two_passes(sources: Iterable[Store], used: Sequence[Store], failures: list[UserError]) -> Iterator[Store]:
    """Every source, then all again: a listing from one of the last sources names files that the first may have."""
    try:
        yield from sources
    except (StoreError, DataError) as error:
        failures.append(error)
    yield from tuple(used) if len(used) > 1 else ()


def _paths(outs: Iterable[Output], scanned: Scan) -> dict[str, str]:
    """The path of every known object of the outputs, by object."""
    paths = {output.md5: output.path for output in outs}
    for output in outs:
        paths |= {entry.md5: f"{output.path}/{entry.path}" for entry in scanned.listings.get(output.md5, [])}
    return paths


def _outputs_with(outs: Iterable[Output], scanned: Scan, objects: Set[str]) -> list[Output]:
    """The outputs that contain at least one of the objects."""
    return [output for output in outs if not objects.isdisjoint(_paths([output], scanned))]
