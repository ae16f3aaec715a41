"""Returns as a function of the score: mean return by score quantile, and mean return rank by score rank."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from gogooku3.config.evaluation import Bootstrap
from gogooku3.evaluation.predictions import Predictions
from gogooku3.metrics.bootstrap import interval
from gogooku3.metrics.cross_section import Floats, average_ranks, mask_pairs
from gogooku3.metrics.estimate import estimate, mean
from gogooku3.metrics.ranking import quantile_returns

STEPS = 20
"""Number of equal bins of a session's score ranks."""


def returns_by_quantile(predictions: Predictions, index: int, quantiles: int, bootstrap: Bootstrap) -> pl.DataFrame:
    """Mean return over a horizon by score quantile, minus the session's mean, with intervals.

    Args:
        predictions: scores and targets.
        index: index of the horizon.
        quantiles: number of quantiles.
        bootstrap: bootstrap parameters of the intervals.

    Returns:
        `quantile` (1: lowest scores), `value`, `low`, `high`.
    """
    means_TQ = quantile_returns(predictions.scores_TSH[..., index], predictions.targets_TSH[..., index], quantiles)
    rows = _estimates(means_TQ, bootstrap, predictions.horizons[index])
    return pl.DataFrame({"quantile": quantile, **row} for quantile, row in enumerate(rows, start=1))


def return_rank_by_score_rank(predictions: Predictions, index: int, bootstrap: Bootstrap) -> pl.DataFrame:
    """Mean rank of the return within its session by rank of the score, both from 0 (lowest) to 1.

    Scores without skill give one half throughout. If the relation is linear, its slope is the RankIC: both ranks are
    uniform, so the slope of their regression is their correlation.

    Returns:
        `rank` (middle of a bin), `value`, `low`, `high`; undefined if no session has enough stocks.
    """
    scores, targets = mask_pairs(predictions.scores_TSH[..., index], predictions.targets_TSH[..., index])
    ranks_TS = average_ranks(targets)
    count_T1 = np.maximum((~np.isnan(targets)).sum(axis=1, keepdims=True), 1)
    means_TQ = 0.5 + quantile_returns(scores, (ranks_TS - 0.5) / count_T1, STEPS)
    rows = _estimates(means_TQ, bootstrap, predictions.horizons[index])
    return pl.DataFrame({"rank": (step + 0.5) / STEPS, **row} for step, row in enumerate(rows))


def _estimates(means_TQ: Floats, bootstrap: Bootstrap, horizon: int) -> Iterator[dict[str, float | None]]:
    for means_T in means_TQ.T:
        bounds = interval(means_T, lambda resampled: resampled.mean(axis=-1), bootstrap, horizon)
        yield estimate(mean(means_T), bounds)
