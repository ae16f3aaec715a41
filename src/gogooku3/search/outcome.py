"""Result of a search: all trials with their objective and interval, the best one, and its deflated Sharpe ratio."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path

from gogooku3.config import Params
from gogooku3.config.train import SCRATCH
from gogooku3.metrics.sharpe_significance import Trials
from gogooku3.recovery.releases import tags
from gogooku3.recovery.releases.estimates import Estimate
from gogooku3.recovery.releases.results import track_record
from gogooku3.recovery.trials import count, lineage_tiers
from gogooku3.search import experiments, selection
from gogooku3.search.space import Values, leaves
from gogooku3.search.study import FinishedTrial


@dataclass(frozen=True)
class Trial:
    """One finished trial."""

    number: int
    state: str
    """`complete`, `failed`, or `removed`: complete, but its experiment no longer exists."""
    parameters: Values
    value: Estimate | None
    """The objective on validation, with its 95 % interval."""
    experiment: str | None
    """The experiment with its result: that of an earlier trial if it had the same parameters."""
    reason: str | None
    """Reason of the failure."""


@dataclass(frozen=True)
class Outcome:
    """Result of a search, over the finished trials."""

    study: str
    commit: str
    tier: str
    objective: str
    trials: tuple[Trial, ...]
    best: Trial | None
    """The trial with the largest value among those whose experiments exist."""
    alike: int
    """Number of other experiments whose value is within the interval of the best."""
    results: int
    """Number of different results of the tier in the repository (trials that the best is selected from)."""
    deflated_sharpe: float | None
    """Deflated Sharpe ratio of the best on validation, given the number of results."""
    deflated_rank_ic: float | None = None
    """Deflated mean RankIC of the best on validation, given the same."""
    overfitting: float | None = None
    """Probability of backtest overfitting over the trials that have values by session; None with too few of them."""
    superior: float | None = None
    """p-value of Hansen's test that no trial is better than the commit's own values, the first trial; None without
    that trial, or with too few sessions."""


def outcome(
    root: Path, commit: str, study: str, params: Params, objective: str, finished: list[FinishedTrial]
) -> Outcome:
    """Reads the results of finished trials from their experiments.

    Args:
        params: the parameters of the commit.
        objective: the metric that the search maximises.
    """
    tier = params.tier.name
    trials = tuple(_trial(root, commit, objective, number, each) for number, each in enumerate(finished))
    values = {
        trial.experiment: trial.value.value
        for trial in trials
        if trial.experiment and trial.state == "complete" and trial.value and trial.value.value is not None
    }
    name = max(values, key=lambda each: values[each], default=None)
    best = next((trial for trial in trials if trial.experiment == name), None) if name else None
    rev = None if name is None else experiments.reference(commit, name)
    start_from = params.train.start_from
    lineage = [] if start_from == SCRATCH else lineage_tiers(tags.read(root), tier, start_from)
    results = count(root, tier, rev, lineage)
    tracks = selection.tracks(root, commit, list(values))
    return Outcome(
        study=study,
        commit=commit,
        tier=tier,
        objective=objective,
        trials=trials,
        best=best,
        alike=_alike(best, values),
        results=results.count,
        deflated_sharpe=None if rev is None else _deflated(root, rev, results),
        deflated_rank_ic=None if name is None else selection.deflated_rank_ic(tracks.get(name), results),
        overfitting=selection.overfitting(tracks, objective),
        superior=selection.superior(tracks, objective, _committed(params, trials), params.evaluation.bootstrap),
    )


def _committed(params: Params, trials: tuple[Trial, ...]) -> str | None:
    """The experiment with the commit's own values."""
    own = leaves(asdict(params))
    of_commit = (each for each in trials if all(own.get(key) == value for key, value in each.parameters.items()))
    return next((each.experiment for each in of_commit if each.state == "complete"), None)


def _trial(root: Path, commit: str, objective: str, number: int, trial: FinishedTrial) -> Trial:
    if trial.experiment is None:
        return Trial(number, "failed", trial.values, None, None, trial.reason)
    experiment = experiments.find(root, commit, trial.experiment)
    if experiment is None:
        return Trial(number, "removed", trial.values, Estimate(trial.value, None, None), trial.experiment, None)
    return Trial(number, "complete", trial.values, experiment.estimate(objective), trial.experiment, None)


def _alike(best: Trial | None, values: dict[str, float]) -> int:
    if best is None or best.value is None or best.value.low is None:
        return 0
    return sum(value >= best.value.low for name, value in values.items() if name != best.experiment)


def _deflated(root: Path, rev: str, results: Trials) -> float | None:
    track = track_record(root, rev, "validation")
    deflated = math.nan if track is None else track.deflated(results)
    return None if math.isnan(deflated) else deflated
