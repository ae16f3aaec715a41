"""What followed the scores, from the lowest to the highest: returns by quantile, and ranks of returns by rank."""

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
"""Of equal size, into which the ranks of a session are cut."""


def returns_by_quantile(predictions: Predictions, place: int, quantiles: int, bootstrap: Bootstrap) -> pl.DataFrame:
    """Mean return over a horizon by quantile of the score, less the session's mean, with its interval.

    Args:
        scored: scores and what came after.
        place: of the horizon.
        quantiles: as many.
        bootstrap: of the intervals.

    Returns:
        `quantile` (1: lowest scores), `value`, `low`, `high`.
    """
    means_TQ = quantile_returns(predictions.scores_TSH[..., place], predictions.targets_TSH[..., place], quantiles)
    rows = _estimates(means_TQ, bootstrap, predictions.horizons[place])
    return pl.DataFrame({"quantile": quantile, **row} for quantile, row in enumerate(rows, start=1))


def return_rank_by_score_rank(predictions: Predictions, place: int, bootstrap: Bootstrap) -> pl.DataFrame:
    """Mean rank of the return among those of its session by rank of the score, both from 0 (lowest) to 1.

    Scores without skill give one half throughout. Where the relation is linear its slope is the RankIC: both ranks are
    spread evenly, and the slope of one on the other is their correlation.

    Returns:
        `rank` (the middle of a step), `value`, `low`, `high`; without a session of enough stocks undefined.
    """
    scores, targets = mask_pairs(predictions.scores_TSH[..., place], predictions.targets_TSH[..., place])
    ranks_TS = average_ranks(targets)
    count_T1 = np.maximum((~np.isnan(targets)).sum(axis=1, keepdims=True), 1)
    means_TQ = 0.5 + quantile_returns(scores, (ranks_TS - 0.5) / count_T1, STEPS)
    rows = _estimates(means_TQ, bootstrap, predictions.horizons[place])
    return pl.DataFrame({"rank": (step + 0.5) / STEPS, **row} for step, row in enumerate(rows))


def _estimates(means_TQ: Floats, bootstrap: Bootstrap, horizon: int) -> Iterator[dict[str, float | None]]:
    for means_T in means_TQ.T:
        bounds = interval(means_T, lambda resampled: resampled.mean(axis=-1), bootstrap, horizon)
        yield estimate(mean(means_T), bounds)
