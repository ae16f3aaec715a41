"""The metrics that a tier can declare as its objective: Sharpe ratio, mean RankIC, or the RankIC of one horizon."""

from __future__ import annotations

import re

SHARPE, MEAN_RANK_IC = "sharpe", "mean_rank_ic"
_BY_HORIZON = re.compile(r"rank_ic_([1-9][0-9]*)")


def horizon_of(metric: str) -> int | None:
    """The horizon of a metric `rank_ic_<horizon>`; None for other metrics."""
    match = _BY_HORIZON.fullmatch(metric)
    return int(match[1]) if match else None


def metric_title(metric: str) -> str:
    """The metric in words."""
    horizon = horizon_of(metric)
    names = {SHARPE: "Sharpe ratio", MEAN_RANK_IC: "mean RankIC"}
    return names.get(metric, metric) if horizon is None else f"RankIC of horizon {horizon}"
