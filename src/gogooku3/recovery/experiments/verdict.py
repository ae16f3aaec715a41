"""Compares an experiment with another commit on validation: better, worse, or within noise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from gogooku3 import paths
from gogooku3.config.evaluation import Bootstrap
from gogooku3.errors import DataError
from gogooku3.metrics.paired_difference import horizons_of
from gogooku3.objective import metric_title
from gogooku3.recovery.releases import metrics, sessions
from gogooku3.recovery.releases.estimates import Estimate, Measured
from gogooku3.recovery.releases.record import compared, estimate
from gogooku3.recovery.releases.results import gains

_SPLIT = "validation"
_METRICS, _SESSIONS = paths.metrics_of(_SPLIT), paths.sessions_of(_SPLIT)


@dataclass(frozen=True)
class Result:
    """What a commit measured on validation."""

    commit: str
    rank_ic: Estimate | None = None
    """Mean over the horizons; early versions recorded no interval."""
    sharpe: Estimate | None = None
    measured: Measured | None = None
    """None if there is a `problem`."""
    problem: str | None = None
    """Why there is no result: no metrics, or damaged ones."""


@dataclass(frozen=True)
class Verdict:
    """The comparison of two commits."""

    label: Literal["better", "worse", "within noise", "not compared"]
    gain: Estimate | None
    """The metric on validation minus that of the other, paired by session; None if they were not compared."""
    metric: str
    reason: str | None
    """Why they were not compared."""


def result(root: Path, commit: str) -> Result:
    """The validation metrics of a commit, as the leaderboard shows them."""
    try:
        table = metrics.read(root, commit, _SPLIT)
        if table is None:
            return Result(commit, problem=f"no {_METRICS}")
        measured = compared(root, commit)
        mean = Estimate(measured.mean_rank_ic, None, None)
        return Result(
            commit, estimate(table.mean_rank_ic) if table.mean_rank_ic else mean, estimate(table.sharpe), measured
        )
    except DataError:
        return Result(commit, problem=f"a damaged {_METRICS}")


def compare(root: Path, ours: Result, theirs: Result, metric: str, bootstrap: Bootstrap) -> Verdict:
    """Compares two results by a metric, as `promote` does: over the same sessions and horizons, or not at all.

    Args:
        metric: `tier.metric`.
        bootstrap: of the interval; the same for all comparisons, whatever the commits have.
    """
    try:
        gain = _gain(root, ours, theirs, metric, bootstrap)
    except _NotComparableError as error:
        return Verdict("not compared", None, metric, str(error))
    labels: dict[int | None, Literal["better", "worse", "within noise"]]
    labels = {1: "better", -1: "worse", 0: "within noise"}
    return Verdict(labels[gain.sign], gain, metric, None)


class _NotComparableError(Exception):
    """Two results cannot be compared; the message is the reason."""


def _gain(root: Path, ours: Result, theirs: Result, metric: str, bootstrap: Bootstrap) -> Estimate:
    measured = [_measured(ours, metric, "it has"), _measured(theirs, metric, "the other has")]
    if measured[0].basis != measured[1].basis:
        raise _NotComparableError(f"other horizons or sessions: {measured[0].basis}, and {measured[1].basis}")
    our_track, their_track = _track(root, ours, "its"), _track(root, theirs, "the other's")
    if not our_track["Date"].equals(their_track["Date"]):
        raise _NotComparableError(f"other sessions in {_SESSIONS}")
    gain = gains(our_track, their_track, bootstrap).get(metric)
    if gain is None or gain.sign is None:
        raise _NotComparableError("too few sessions for an interval")
    return gain


def _measured(result: Result, metric: str, subject: str) -> Measured:
    if result.measured is None:
        raise _NotComparableError(f"{subject} {result.problem}")
    if result.measured.estimate(metric).value is None:
        raise _NotComparableError(f"{subject} no {metric_title(metric)}")
    return result.measured


def _track(root: Path, result: Result, whose: str) -> pl.DataFrame:
    """The values per session; refuses what cannot be paired, and what does not belong to the metrics."""
    assert result.measured is not None
    try:
        track = sessions.read(root, result.commit, _SPLIT)
    except DataError:
        raise _NotComparableError(f"{whose} {_SESSIONS} is damaged") from None
    if track is None:
        raise _NotComparableError(f"{whose} {_SESSIONS} is missing")
    horizons = horizons_of(track)
    values = track.select(f"rank_ic_{h}" for h in horizons).to_numpy()
    dates = track["Date"]
    if dates.null_count() or dates.is_duplicated().any() or np.isinf(values).any():
        raise _NotComparableError(f"{whose} {_SESSIONS} is damaged")
    if [str(h) for h in horizons] != [*result.measured.rank_ic]:
        raise _NotComparableError(f"{whose} {_SESSIONS} has other horizons than {_METRICS}")
    return track
