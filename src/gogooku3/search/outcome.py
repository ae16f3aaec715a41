"""What a search has found: every trial with its result and the noise of it, and which is the best of how many."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from gogooku3.metrics.sharpe_significance import Trials
from gogooku3.recovery.releases.record import Estimate
from gogooku3.recovery.releases.results import track_record
from gogooku3.recovery.trials import count
from gogooku3.search import experiments
from gogooku3.search.space import Values
from gogooku3.search.study import Known


@dataclass(frozen=True)
class Trial:
    """One trial, as it ended."""

    number: int
    state: str
    """`complete`, `failed`, or `removed`: complete, but its experiment is no longer there."""
    parameters: Values
    value: Estimate | None
    """The objective on validation, with its 95 % interval."""
    experiment: str | None
    """The experiment that holds its result: an earlier trial's where that had the same parameters."""
    reason: str | None
    """Why it failed."""


@dataclass(frozen=True)
class Outcome:
    """A search, as far as it went."""

    study: str
    commit: str
    tier: str
    objective: str
    trials: tuple[Trial, ...]
    best: Trial | None
    """The one with the largest value of those whose experiments are there."""
    alike: int
    """Other experiments whose value lies in the interval of the best."""
    results: int
    """Different results of the tier that the repository knows: what the best is chosen from."""
    deflated_sharpe: float | None
    """Probability that the Sharpe ratio of the best on validation is not the luck of the best of so many."""


def outcome(root: Path, commit: str, study: str, tier: str, objective: str, known: list[Known]) -> Outcome:
    """Reads the results of finished trials from their experiments."""
    trials = tuple(_trial(root, commit, objective, number, each) for number, each in enumerate(known))
    values = {
        trial.experiment: trial.value.value
        for trial in trials
        if trial.experiment and trial.state == "complete" and trial.value and trial.value.value is not None
    }
    name = max(values, key=lambda each: values[each], default=None)
    best = next((trial for trial in trials if trial.experiment == name), None) if name else None
    rev = None if name is None else experiments.reference(commit, name)
    results = count(root, tier, rev)
    return Outcome(
        study, commit, tier, objective, trials, best, _alike(best, values), results.count,
        None if rev is None else _deflated(root, rev, results),
    )  # fmt: skip


def _trial(root: Path, commit: str, objective: str, number: int, known: Known) -> Trial:
    if known.experiment is None:
        return Trial(number, "failed", known.values, None, None, known.reason)
    made = experiments.find(root, commit, known.experiment)
    if made is None:
        return Trial(number, "removed", known.values, Estimate(known.value, None, None), known.experiment, None)
    return Trial(number, "complete", known.values, made.estimate(objective), known.experiment, None)


def _alike(best: Trial | None, values: dict[str, float]) -> int:
    if best is None or best.value is None or best.value.low is None:
        return 0
    return sum(value >= best.value.low for name, value in values.items() if name != best.experiment)


def _deflated(root: Path, rev: str, results: Trials) -> float | None:
    track = track_record(root, rev, "validation")
    deflated = math.nan if track is None else track.deflated(results)
    return None if math.isnan(deflated) else deflated
