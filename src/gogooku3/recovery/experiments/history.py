"""Finds the experiments in Git: those of DVC, the releases, and other commits with a result of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from gogooku3 import paths
from gogooku3.errors import ConfigError, DataError
from gogooku3.recovery.releases import git, tags
from gogooku3.recovery.releases.record import parse
from gogooku3.recovery.releases.tags import Release
from gogooku3.recovery.trials import Result, require_full_history, result_of, runs, tier_of

FETCH = "dvc exp pull --all-commits --no-cache origin"
"""Gets the experiments of the Git remote, which a clone does not have, without their outputs."""

Kind = Literal["experiment", "trial", "release", "commit"]
"""`trial`: an experiment of `gogooku3 search`."""

_REFERENCE = re.compile(r"refs/exps/(?P<folder>[0-9a-f]{2})/(?P<rest>[0-9a-f]{38})/(?P<name>[^/]+)")
_HASH = re.compile(r"[0-9a-f]{4,40}")
_BY_DVC = re.compile(r"dvc: commit experiment [0-9a-f]+")
_BY_SEARCH = re.compile(r"[^\s:]+-[0-9]+: (?P<values>\{.*\})")
"""The message of a trial: its name and its values as JSON."""
_HYPOTHESIS = re.compile(r"^Hypothesis:[ \t]*(\S.*)$", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """One experiment."""

    kind: Kind
    names: tuple[str, ...]
    """Name of the DVC experiment, and tags of the releases of its model."""
    tier: str | None
    """None if `params.yaml` cannot be read, or names none."""
    commit: str
    commits: tuple[str, ...]
    """All commits with this result that are no experiment and no release; of the others, their own."""
    time: int
    """The committer's time, in seconds since 1970."""
    hypothesis: str | None
    base: str | None
    """The commit that it is compared with; None if there is none."""
    base_name: str | None
    """Tag of that commit, if it is a release."""
    releases: tuple[Release, ...]
    """The releases of its model."""


@dataclass(frozen=True)
class _Commit:
    time: int
    message: str


@dataclass(frozen=True)
class _Reference:
    """A DVC experiment; its reference has the commit from which it was run."""

    name: str
    base: str
    commit: str


def entries(root: Path) -> list[Entry]:
    """All experiments, by tier, then by time.

    - each DVC experiment, trials of a search included;
    - each release, revoked ones too, unless it has the lock file, and so the model, of an experiment of its tier: then
      the experiment has its tag;
    - each other result of a tier, at the first commit that has it: work on branches.

    Raises:
        RefusedError: the clone is shallow.
        GitError: Git fails.
    """
    require_full_history(root)
    return sorted(_History(root).entries(), key=lambda each: (each.tier is None, each.tier or "", each.time, each.names,
                                                              each.commit))  # fmt: skip


def find(found: list[Entry], name: str) -> Entry:
    """The experiment with a name, a tag, or a commit whose hash begins so.

    Raises:
        ConfigError: several have it.
        DataError: none has it.
    """
    named = [entry for entry in found if name in entry.names]
    matching = named or [entry for entry in found if _HASH.fullmatch(name) and _begins(entry, name)]
    if len({entry.commit for entry in matching}) > 1:
        commits = ", ".join(f"`{entry.commit[:10]}`" for entry in matching)
        raise ConfigError(f"`{name}` is the name of several experiments", hint=f"name one by its commit: {commits}")
    if not matching:
        raise DataError(
            f"`{name}` is none of the {len(found)} experiments that this clone knows of",
            hint=f"`gogooku3 experiments --json` lists them; `{FETCH}` gets those of the Git remote",
        )
    return matching[0]


def _begins(entry: Entry, name: str) -> bool:
    return any(commit.startswith(name) for commit in (*entry.commits, *(each.commit for each in entry.releases)))


class _History:
    """The references of a repository, and what their commits contain."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._registry = tags.read(root)
        self._references = _references(root)
        self._runs = runs(root, "validation")
        released = [release.commit for release in self._registry.registered]
        commits = list(dict.fromkeys([*(each.commit for each in self._references), *released, *self._runs]))
        self._commits = _commits(root, [*commits, *(each.base for each in self._references)])
        self._locks = git.blobs(root, commits, paths.LOCK)
        self._tiers = self._parsed(git.blobs(root, commits, paths.PARAMS))
        blobs = git.blobs(root, commits, paths.metrics_of("validation"))
        results = {blob: result_of(git.read_blob(root, blob)) for blob in {*blobs.values()}}
        self._results: dict[str, Result] = {commit: results[blob] for commit, blob in blobs.items()}

    def entries(self) -> Iterator[Entry]:
        experiments = [self._experiment(each) for each in self._references]
        releases = [self._release(each) for each in self._registry.registered if each.commit in self._commits]
        # An experiment that was released is one entry: the same lock file, so the same inputs and the same model.
        by_model: dict[tuple[str | None, str], list[Release]] = {
            (entry.tier, self._locks[entry.commit]): [] for entry in experiments if entry.commit in self._locks
        }
        separate = []
        for entry in releases:
            twins = by_model.get((entry.tier, self._locks.get(entry.commit, "")))
            if twins is None:
                separate.append(entry)
            else:
                twins.extend(entry.releases)
        for entry in experiments:
            of_model = tuple(by_model.get((entry.tier, self._locks.get(entry.commit, "")), ()))
            yield replace(entry, names=(*entry.names, *(each.tag.name for each in of_model)), releases=of_model)
        yield from separate
        yield from self._others([*experiments, *releases])

    def _experiment(self, reference: _Reference) -> Entry:
        commit = self._commits[reference.commit]
        tier = self._tiers.get(reference.commit)
        is_trial = _is_trial(commit.message)
        return Entry(
            kind="trial" if is_trial else "experiment",
            names=(reference.name,),
            tier=tier,
            commit=reference.commit,
            commits=(reference.commit,),
            time=commit.time,
            hypothesis=_given(commit.message) or (None if is_trial else _message(commit.message)),
            base=reference.base if reference.base in self._commits else None,
            base_name=self._tag_at(reference.base, tier),
            releases=(),
        )

    def _release(self, release: Release) -> Entry:
        before = self._released_before(release)
        commit = self._commits[release.commit]
        return Entry(
            kind="release",
            names=(release.tag.name,),
            tier=release.tier,
            commit=release.commit,
            commits=(release.commit,),
            time=commit.time,
            hypothesis=_given(commit.message),
            base=None if before is None else before.commit,
            base_name=None if before is None else before.tag.name,
            releases=(release,),
        )

    def _released_before(self, release: Release) -> Release | None:
        """The release that `promote` compared it with, by its tag; else the version before it."""
        earlier = [each for each in self._registry.ever(release.tier) if each.version < release.version]
        record = parse(release.tag.message)
        if record is None:
            return earlier[-1] if earlier else None
        name = None if record.compared_with is None else record.compared_with.tag
        return next((each for each in self._registry.ever(release.tier) if each.tag.name == name), None)

    def _others(self, known: Iterable[Entry]) -> Iterator[Entry]:
        seen = {(entry.tier, self._results.get(entry.commit)) for entry in known}
        groups: dict[tuple[str | None, Result], list[str]] = {}
        for commit in self._runs:
            result = self._results.get(commit)
            tier = self._tiers.get(commit)
            if result is not None and (tier, result) not in seen:
                groups.setdefault((tier, result), []).append(commit)
        for (tier, _), commits in groups.items():
            first, *more = sorted(commits, key=lambda each: (self._commits[each].time, each))
            made = self._commits[first]
            earlier = [each for each in self._registry.ever(tier or "") if each.registered[0] <= made.time]
            before = max(earlier, key=lambda each: each.registered, default=None)
            yield Entry(
                kind="commit",
                names=(),
                tier=tier,
                commit=first,
                commits=(first, *more),
                time=made.time,
                hypothesis=_given(made.message),
                base=None if before is None else before.commit,
                base_name=None if before is None else before.tag.name,
                releases=(),
            )

    def _tag_at(self, commit: str, tier: str | None) -> str | None:
        return next((each.tag.name for each in self._registry.ever(tier or "") if each.commit == commit), None)

    def _parsed(self, blobs: dict[str, str]) -> dict[str, str | None]:
        tiers = {blob: tier_of(git.read_blob(self._root, blob)) for blob in {*blobs.values()}}
        return {commit: tiers[blob] for commit, blob in blobs.items()}


def _references(root: Path) -> list[_Reference]:
    """The DVC experiments; its own references while it runs and stashes have other names."""
    lines = git.run(root, "for-each-ref", "--format=%(objecttype) %(objectname) %(refname)", "refs/exps").split("\n")
    fields = [line.split(" ", 2) for line in lines if line]
    return [
        _Reference(match["name"], match["folder"] + match["rest"], commit)
        for kind, commit, name in fields
        if kind == "commit" and (match := _REFERENCE.fullmatch(name))
    ]


def _commits(root: Path, hashes: list[str]) -> dict[str, _Commit]:
    """Time and message by commit; objects that are missing, or are no commits, are left out."""
    if not hashes:
        return {}
    form = "--format=tformat:%H%x00%ct%x00%B%x00"
    options = ("--no-walk=unsorted", "--ignore-missing", "--encoding=UTF-8", "--no-notes", "--no-patch", form)
    cells = git.run(root, "log", *options, "--stdin", stdin="\n".join(dict.fromkeys(hashes)) + "\n").split("\0")[:-1]
    rows = [cells[start : start + 3] for start in range(0, len(cells), 3)]
    return {name.strip("\n"): _Commit(int(time or 0), message) for name, time, message in rows}


def _is_trial(message: str) -> bool:
    match = _BY_SEARCH.fullmatch(message.strip())
    try:
        return match is not None and isinstance(json.loads(match["values"]), dict)
    except (ValueError, RecursionError):
        return False


def _given(message: str) -> str | None:
    """The hypothesis in a commit's message: a line `Hypothesis: …`."""
    match = _HYPOTHESIS.search(message)
    return match[1].strip() if match else None


def _message(message: str) -> str | None:
    """The message of an experiment, `dvc exp run --message`; None for the one that DVC writes by itself."""
    text = message.strip()
    return text if text and not _BY_DVC.fullmatch(text) else None
