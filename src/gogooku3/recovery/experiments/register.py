"""`experiments`: every experiment with its parameters, result, verdict, releases and conclusions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from gogooku3 import config, paths
from gogooku3.config.evaluation import Bootstrap
from gogooku3.objective import MEAN_RANK_IC
from gogooku3.recovery.changes import Change
from gogooku3.recovery.experiments import conclusions, history
from gogooku3.recovery.experiments.conclusions import Conclusion
from gogooku3.recovery.experiments.history import Entry
from gogooku3.recovery.experiments.verdict import Result, Verdict, compare, result
from gogooku3.recovery.releases import git, parameters, tags
from gogooku3.recovery.releases.record import parse
from gogooku3.recovery.trials import count


@dataclass(frozen=True)
class Row:
    """One experiment of the register."""

    entry: Entry
    result: Result
    changes: list[Change] | None
    """Parameters that differ from those of the commit that it is compared with; None if one cannot be read."""
    verdict: Verdict | None
    """None if there is nothing to compare with."""
    best: bool
    """Whether its model is the best release of the tier."""
    conclusions: list[str]


@dataclass(frozen=True)
class Register:
    """The experiments of all tiers."""

    rows: list[Row]
    """By tier, then by time."""
    trials: dict[str, int]
    """Number of different results by tier: what `promote` corrects the Sharpe ratio for."""
    elsewhere: list[Conclusion]
    """Conclusions of experiments that this clone does not have."""

    @property
    def dvc_experiments(self) -> int:
        """Number of experiments and trials, which a clone has only after it has pulled them."""
        return sum(row.entry.kind in ("experiment", "trial") for row in self.rows)


def register(root: Path) -> Register:
    """Reads all experiments from Git, and the conclusions from the working tree's file.

    The intervals of the comparisons use the bootstrap of the parameters at HEAD, the same for all.

    Raises:
        RefusedError: the clone is shallow.
        ConfigError: the parameters at HEAD are wrong.
        DataError: the file of conclusions is damaged.
        GitError: Git fails.
    """
    found = history.entries(root)
    known = conclusions.read(root)
    build = _Rows(root, known)
    rows = [build.row(entry) for entry in found]
    tiers = sorted({entry.tier for entry in found if entry.tier is not None})
    here = {commit for entry in found for commit in _commits(entry)}
    return Register(
        rows,
        {tier: count(root, tier).count for tier in tiers},
        [each for commit, each in sorted(known.items()) if commit not in here],
    )


class _Rows:
    """Builds rows; reads each commit once."""

    def __init__(self, root: Path, known: dict[str, Conclusion]) -> None:
        self._root, self._known = root, known
        self._result: Callable[[str], Result] = cache(partial(result, root))
        self._registry = tags.read(root)
        self._bootstrap: Bootstrap | None = None

    def row(self, entry: Entry) -> Row:
        ours = self._result(entry.commit)
        best = self._registry.best(entry.tier or "")
        return Row(
            entry,
            ours,
            self._changes(entry),
            None if entry.base is None else self._verdict(ours, entry.base, self._metric(entry)),
            best in entry.releases,
            self._conclusions(entry),
        )

    def _changes(self, entry: Entry) -> list[Change] | None:
        if entry.base is None:
            return []
        try:
            texts = (git.show(self._root, commit, paths.PARAMS) for commit in (entry.base, entry.commit))
            return parameters.ordered_changes(*(parameters.flat(parameters.parse(text)) for text in texts))
        except (ValueError, YAMLError, OmegaConfBaseException):
            return None

    def _metric(self, entry: Entry) -> str:
        """The objective of its tier; the mean RankIC if its parameters cannot be read."""
        try:
            tree = parameters.parse(git.show(self._root, entry.commit, paths.PARAMS))
            return str(tree["tier"]["metric"])
        except (ValueError, KeyError, TypeError, YAMLError, OmegaConfBaseException):
            return MEAN_RANK_IC

    def _conclusions(self, entry: Entry) -> list[str]:
        records = (parse(release.tag.message) for release in entry.releases)
        notes = [record.note for record in records if record is not None and record.note is not None]
        return [self._known[commit].learned for commit in _commits(entry) if commit in self._known] + notes

    def _verdict(self, ours: Result, base: str, metric: str) -> Verdict:
        if self._bootstrap is None:
            with parameters.read_errors("HEAD", paths.PARAMS):
                tree = parameters.parse(git.show(self._root, "HEAD", paths.PARAMS))
            self._bootstrap = config.parse(tree).evaluation.bootstrap
        return compare(self._root, ours, self._result(base), metric, self._bootstrap)


def _commits(entry: Entry) -> list[str]:
    """The commits to which a conclusion of an experiment can belong."""
    return list(dict.fromkeys([*entry.commits, *(release.commit for release in entry.releases)]))
