"""Does a store hold every object of every revision, whole? Told without downloading what the store can vouch for.

An object's name is the MD5 of its bytes, so a store that knows its objects' MD5 (Google's does) answers in listings.
What it cannot vouch for is downloaded and hashed; so are directory listings (`.dir`), which name further objects.
Each object is checked once, however many revisions share it, and reported for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gogooku3.errors import DataError
from gogooku3.recovery.releases.git import WORKSPACE
from gogooku3.recovery.run_cache_audit import RunCache, audit_runs
from gogooku3.recovery.storage.lock import Output, outputs
from gogooku3.recovery.storage.open import open_cache, open_remote
from gogooku3.recovery.storage.repair import repair_objects
from gogooku3.recovery.storage.scan import Damage, Progress, Scan, scan


@dataclass(frozen=True)
class Problem:
    """A damaged object where one revision needs it: the file at `path`, or the listing of the directory at `path`."""

    rev: str
    stage: str
    output: str
    path: str
    object: str
    damage: Damage
    note: str


@dataclass(frozen=True)
class Audit:
    """What was checked in which store, and what is wrong there."""

    store: str
    revs: tuple[str, ...]
    objects: int
    hashed: int
    problems: tuple[Problem, ...]
    repaired: tuple[Problem, ...]
    run_cache: RunCache | None
    """What the local cache records of runs; None where a remote was audited."""

    @property
    def passed(self) -> bool:
        """Whether every object is there, whole, and no run is recorded with two results."""
        return not self.problems and (self.run_cache is None or self.run_cache.passed)


def audit(
    root: Path,
    revs: Sequence[str | None],
    *,
    deep: bool = False,
    local: bool = False,
    repair: bool = False,
    progress: Progress = lambda _what, _done, _total: None,
) -> Audit:
    """Checks the remote of the repository in `root` against the outputs of Git revisions (None: the working tree).

    `deep` downloads and hashes every object, whatever the store says of it. `local` checks the local cache instead, and
    DVC's run cache. `repair` brings again what is damaged, from the local cache to the remote (`local`: from the remote
    to the cache), hashed on the way, and then looks again; the run cache stays as it is. Nothing is ever deleted; an
    object is replaced only by a good one.

    Raises `DataError` for a revision that cannot be read or keeps nothing in a store, `StoreError` for a remote that
    cannot be used.
    """
    recorded = {rev or WORKSPACE: _recorded(root, rev) for rev in revs}
    store = open_cache(root) if local else open_remote(root)
    # Where good copies may be: for repairs, and to name the files of a directory whose listing is lost.
    other = (open_remote(root) if repair else None) if local else open_cache(root)
    every = [output for of_rev in recorded.values() for output in of_rev]

    others = () if other is None else (other,)
    seen = scan(store, others, every, deep=deep, progress=progress)
    problems = _problems(recorded, seen)
    repaired: list[Problem] = []
    if problems and repair and other is not None:
        repair_objects(store, other, seen, progress)
        found = problems
        seen = scan(store, others, every, deep=deep, progress=progress)
        problems = [_without_copy(problem, other.name) for problem in _problems(recorded, seen)]
        repaired = [problem for problem in found if problem.object not in seen.damage]
    run_cache = audit_runs(root, revs, progress) if local else None
    return Audit(store.name, tuple(recorded), seen.objects, seen.hashed, tuple(problems), tuple(repaired), run_cache)


def _recorded(root: Path, rev: str | None) -> list[Output]:
    found = outputs(root, rev)
    if not found:
        raise DataError(
            f"`{rev or WORKSPACE}` keeps nothing in the store: it has no pipeline with cached outputs",
            hint="name a revision that has `dvc.yaml` and `dvc.lock`",
        )
    return found


def _problems(recorded: dict[str, list[Output]], seen: Scan) -> list[Problem]:
    """The damage, where each revision meets it."""
    if not seen.damage:
        return []
    problems = []
    for rev, outs in recorded.items():
        for output in outs:
            listing = seen.listings.get(output.md5)
            here = [(output.path, output.md5)]
            here += [(f"{output.path}/{entry.path}", entry.md5) for entry in listing or []]
            for path, oid in here:
                if (damage := seen.damage.get(oid)) is not None:
                    unread = "its files cannot be named" if output.is_dir and listing is None else ""
                    problems.append(Problem(rev, output.stage, output.path, path, oid, damage, unread))
    return problems


def _without_copy(problem: Problem, other: str) -> Problem:
    """Says why a problem is still there after a repair."""
    held_back = problem.object.endswith(".dir") and not problem.note
    reason = "held back until all its files are there" if held_back else f"no good copy in {other}"
    return replace(problem, note="; ".join(filter(None, (problem.note, reason))))
