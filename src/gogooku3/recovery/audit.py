"""Integrity audit of a store: checks that every object of every revision exists and is intact.

An object's name is the MD5 of its bytes. A store that reports checksums (Google's does) is audited from its listings,
without a download. Objects without a reported MD5 are downloaded and hashed, as are directory listings (`.dir`), which
name further objects. Each object is checked once, even if many revisions share it, and reported for each of them. The
provenance of releases, next to the objects of outputs, is checked in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gogooku3.errors import DataError
from gogooku3.recovery.provenance import stored
from gogooku3.recovery.provenance.objects import objects_of
from gogooku3.recovery.releases import git, tags
from gogooku3.recovery.releases.git import WORKSPACE
from gogooku3.recovery.run_cache_audit import RunCache, audit_runs
from gogooku3.recovery.storage.lock import Output, outputs
from gogooku3.recovery.storage.open import open_cache, open_remote
from gogooku3.recovery.storage.repair import Repair, repair_objects
from gogooku3.recovery.storage.scan import Damage, Progress, Scan, scan
from gogooku3.recovery.storage.store import Store


@dataclass(frozen=True)
class Problem:
    """A damaged or unreadable object of one revision: the file at `path`, or the listing of the directory at `path`."""

    rev: str
    stage: str
    output: str
    path: str
    object: str
    damage: Damage
    note: str


@dataclass(frozen=True)
class Audit:
    """Result of an audit: the store, the revisions, the numbers of objects, and the problems."""

    store: str
    revs: tuple[str, ...]
    objects: int
    hashed: int
    problems: tuple[Problem, ...]
    repaired: tuple[Problem, ...]
    run_cache: RunCache | None
    """Result of the run cache's audit; None for the audit of a remote."""

    @property
    def passed(self) -> bool:
        """Whether every object is intact and no run is recorded with two results."""
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
    """Checks the default remote against the outputs of Git revisions.

    Nothing is ever deleted; an object is replaced only by an intact copy.

    Args:
        root: the repository.
        revs: Git revisions; None is the working tree.
        deep: download and hash every object, even if the store reports its MD5.
        local: check the local cache and DVC's run cache instead of the remote.
        repair: copy damaged objects again from the local cache to the remote (`local`: from the remote to the cache),
            hashed on the way, and audit again; the run cache is not changed.

    Raises:
        DataError: a revision cannot be read or has no outputs in a store.
        StoreError: a remote cannot be used.
    """
    recorded = {rev or WORKSPACE: _recorded(root, rev) for rev in revs}
    store = open_cache(root) if local else open_remote(root)
    # The source of intact copies, for repairs and for the names of a directory's files if its listing is damaged.
    other = (open_remote(root) if repair else None) if local else open_cache(root)
    parts = [_check(store, other, recorded, deep=deep, repair=repair, progress=progress)]
    if (provenances := _provenances(root, revs)) and not local:  # a cache has those of recovered releases only
        beside = objects_of(store), None if other is None else objects_of(other)
        parts.append(_check(*beside, provenances, deep=deep, repair=repair, progress=progress))
    return Audit(
        store.name,
        tuple(recorded),
        sum(part.scanned.objects for part in parts),
        sum(part.scanned.hashed for part in parts),
        tuple(problem for part in parts for problem in part.problems),
        tuple(problem for part in parts for problem in part.repaired),
        audit_runs(root, revs, progress) if local else None,
    )


@dataclass(frozen=True)
class _Part:
    """Result of the audit of one folder of the store."""

    scanned: Scan
    problems: list[Problem]
    repaired: list[Problem]


def _check(
    store: Store,
    other: Store | None,
    recorded: dict[str, list[Output]],
    *,
    deep: bool,
    repair: bool,
    progress: Progress,
) -> _Part:
    all_outputs = [output for outs in recorded.values() for output in outs]
    others = () if other is None else (other,)
    scanned = scan(store, others, all_outputs, deep=deep, progress=progress)
    problems = _problems(recorded, scanned)
    repaired: list[Problem] = []
    if problems and repair and other is not None:
        result = repair_objects(store, other, scanned, progress)
        before = problems
        scanned = scan(store, others, all_outputs, deep=deep, progress=progress)
        problems = [_with_reason(problem, result, other.name) for problem in _problems(recorded, scanned)]
        repaired = [problem for problem in before if problem.object not in scanned.damage]
    return _Part(scanned, problems, repaired)


def _provenances(root: Path, revs: Sequence[str | None]) -> dict[str, list[Output]]:
    """The provenance of the releases at each revision that has any; a project in a subfolder has no releases."""
    named = [rev for rev in revs if rev is not None]
    if not named or git.subfolder_of(root):
        return {}
    registry = tags.read(root)
    return {rev: outs for rev in named if (outs := stored.outputs_at(root, rev, registry))}


def _recorded(root: Path, rev: str | None) -> list[Output]:
    outs = outputs(root, rev)
    if not outs:
        raise DataError(
            f"`{rev or WORKSPACE}` has nothing in the store: it has no pipeline with cached outputs",
            hint="name a revision that has `dvc.yaml` and `dvc.lock`",
        )
    return outs


def _problems(recorded: dict[str, list[Output]], scanned: Scan) -> list[Problem]:
    """The damaged objects of each revision."""
    if not scanned.damage:
        return []
    problems = []
    for rev, outs in recorded.items():
        for output in outs:
            listing = scanned.listings.get(output.md5)
            objects = [(output.path, output.md5)]
            objects += [(f"{output.path}/{entry.path}", entry.md5) for entry in listing or []]
            for path, oid in objects:
                if (damage := scanned.damage.get(oid)) is not None:
                    note = "the names of its files are unknown" if output.is_dir and listing is None else ""
                    problems.append(Problem(rev, output.stage, output.path, path, oid, damage, note))
    return problems


def _with_reason(problem: Problem, repair: Repair, other: str) -> Problem:
    """The problem with a note on why the repair did not fix it, and what to do about that."""
    damage, error = problem.damage, repair.failed.get(problem.object)
    if problem.object in repair.repaired:
        reason = "it was replaced, and is damaged again"
    elif error is not None:
        reason = f"not replaced: {error.reason}" if error.writing else f"unreadable in {other}: {error.reason}"
        damage = replace(damage, hint=error.hint)
    elif problem.object.endswith(".dir") and not problem.note:
        reason = "not copied until all its files are intact"
    else:
        reason = f"no intact copy in {other}"
    return replace(problem, damage=damage, note="; ".join(filter(None, (problem.note, reason))))
