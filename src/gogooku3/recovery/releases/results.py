"""Results of a revision, read from its metrics in Git: track record (Sharpe significance) and mean RankIC."""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl

from gogooku3.config.evaluation import Bootstrap
from gogooku3.metrics.paired_difference import paired_differences
from gogooku3.metrics.returns import SESSIONS_PER_YEAR
from gogooku3.metrics.sharpe_significance import TrackRecord
from gogooku3.objective import MEAN_RANK_IC
from gogooku3.recovery.releases import metrics
from gogooku3.recovery.releases.comparison import HEADLINE
from gogooku3.recovery.releases.estimates import Estimate
from gogooku3.recovery.releases.record import compared, estimate


def track_record(root: Path, rev: str, split: str) -> TrackRecord | None:
    """The track record behind a revision's Sharpe ratio on a split; None if its metrics do not contain the inputs.

    Raises:
        DataError: the metrics are damaged.
    """
    found = metrics.read(root, rev, split)
    if found is None or found.sessions is None:
        return None
    ratio, skewness, kurtosis = found.sharpe.value, found.sharpe.skewness, found.sharpe.kurtosis
    if ratio is None or skewness is None or kurtosis is None:
        return None
    return TrackRecord(ratio / math.sqrt(SESSIONS_PER_YEAR), found.sessions, skewness, kurtosis)


def mean_rank_ic(root: Path, rev: str, split: str) -> Estimate | None:
    """A revision's mean RankIC over all horizons with its interval; None if its metrics do not contain it.

    Raises:
        DataError: the metrics are damaged.
    """
    found = metrics.read(root, rev, split)
    return None if found is None or found.mean_rank_ic is None else estimate(found.mean_rank_ic)


def objective(root: Path, rev: str, metric: str, split: str = "validation") -> Estimate:
    """A revision's value of a tier's metric (`tier.metric`), with its interval if its metrics contain it.

    Raises:
        DataError: the metrics are missing or damaged.
    """
    mean = mean_rank_ic(root, rev, split) if metric == MEAN_RANK_IC else None
    return compared(root, rev, split).estimate(metric) if mean is None else mean


def gains(ours: pl.DataFrame, theirs: pl.DataFrame, bootstrap: Bootstrap) -> dict[str, Estimate]:
    """Paired differences over common sessions, ours minus theirs, by metric: `sharpe` and, if their horizons are the
    same, `mean_rank_ic` and each `rank_ic_<horizon>`.

    Raises:
        DataError: they have no session in common.
    """
    found = paired_differences(ours, theirs, bootstrap)
    by_horizon = {f"rank_ic_{horizon}": cell for horizon, cell in found.get("rank_ic", {}).items()}
    cells = {metric: found[metric] for metric in HEADLINE if metric in found} | by_horizon
    return {metric: Estimate(**cell) for metric, cell in cells.items()}
