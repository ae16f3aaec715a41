"""Ranking metrics per session: IC, RankIC, hit rate, quantile returns.

They take scores and targets [T sessions, S stocks], NaN where missing, use the stocks that have both, and are NaN for
sessions in which fewer than `MIN_STOCKS` have both, or in which all scores or all targets are equal.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gogooku3.metrics.cross_section import Floats, average_ranks, demean, demean_by_range, lowest_ranks, mask_pairs

MIN_STOCKS = 10
"""Minimum number of stocks per session. For random scores a rank correlation of n stocks has the standard deviation
1/√(n − 1): a third at ten, and a smaller session would weigh as much as a full one in the mean."""


def ic(scores_TS: NDArray[np.floating], targets_TS: NDArray[np.floating]) -> Floats:
    """Information coefficient: Pearson correlation of score and target, [T]."""
    scores, targets = mask_pairs(scores_TS, targets_TS)
    return _correlation(scores, targets)


def rank_ic(scores_TS: NDArray[np.floating], targets_TS: NDArray[np.floating]) -> Floats:
    """Rank information coefficient: Spearman correlation of score and target, average ranks for ties, [T]."""
    scores, targets = mask_pairs(scores_TS, targets_TS)
    return _correlation(average_ranks(scores), average_ranks(targets))


def hit_rate(scores_TS: NDArray[np.floating], targets_TS: NDArray[np.floating]) -> Floats:
    """Share of stocks whose target is on the same side of the session's median as their score, [T].

    A stock on a median is not counted. With medians instead of means, random scores give one half for any skewness of
    scores and targets.
    """
    scores, targets = mask_pairs(scores_TS, targets_TS)
    side_TS = _side_of_median(scores) * _side_of_median(targets)
    decided_T = np.count_nonzero(side_TS, axis=1)
    return _ratio((side_TS > 0).sum(axis=1), decided_T, _populated(scores) & (decided_T > 0))


def quantile_returns(scores_TS: NDArray[np.floating], targets_TS: NDArray[np.floating], quantiles: int) -> Floats:
    """Mean target of each score quantile minus the session's mean, [T, quantiles], lowest scores first.

    NaN for a quantile without a stock, and for all quantiles of a session without quantiles (`quantiles_of`).
    """
    quantile_TS = quantiles_of(scores_TS, targets_TS, quantiles)
    excess_TS = np.nan_to_num(demean(mask_pairs(scores_TS, targets_TS)[1]), nan=0.0)
    means_TQ = np.empty((len(quantile_TS), quantiles))
    for quantile in range(1, quantiles + 1):
        member_TS = quantile_TS == quantile
        size_T = member_TS.sum(axis=1)
        total_T = np.where(member_TS, excess_TS, 0.0).sum(axis=1)
        means_TQ[:, quantile - 1] = _ratio(total_T, size_T, size_T > 0)
    return means_TQ


def quantiles_of(
    scores_TS: NDArray[np.floating], targets_TS: NDArray[np.floating], quantiles: int
) -> NDArray[np.int64]:
    """Score quantile of each stock with score and target, [T, S], from 1 (lowest scores); 0 for the other stocks.

    Quantile q contains the scores above the (q − 1)-th and up to the q-th quantile of the session, interpolated
    linearly, like pandas' `qcut` and alphalens: of n stocks the i-th lowest, counted from 0, is in quantile
    ⌈i · quantiles / (n − 1)⌉, the lowest in 1. Equal scores are in one quantile, that of the lowest of them. A session
    with fewer than `MIN_STOCKS` stocks, with fewer stocks than quantiles, or with all scores equal has no quantiles.
    """
    scores, _ = mask_pairs(scores_TS, targets_TS)
    count_T = _count(scores)
    usable_T = _populated(scores) & (count_T >= quantiles) & demean_by_range(scores).any(axis=1)
    # Integer arithmetic, so that rounding does not move a stock to another quantile.
    below_TS = np.nan_to_num(lowest_ranks(scores) - 1, nan=0.0).astype(np.int64)
    quantile_TS = np.maximum(-(-below_TS * quantiles // np.maximum(count_T - 1, 1)[:, None]), 1)
    member_TS: NDArray[np.int64] = np.where(usable_T[:, None] & ~np.isnan(scores), quantile_TS, 0)
    return member_TS


def populated_sessions(scores_TS: NDArray[np.floating], targets_TS: NDArray[np.floating]) -> int:
    """Sessions in which at least `MIN_STOCKS` stocks have a score and a target."""
    return int(_populated(mask_pairs(scores_TS, targets_TS)[0]).sum())


def _correlation(x_TS: Floats, y_TS: Floats) -> Floats:
    x, y = demean_by_range(x_TS), demean_by_range(y_TS)
    norm_T = np.sqrt((x * x).sum(axis=1)) * np.sqrt((y * y).sum(axis=1))
    return np.clip(_ratio((x * y).sum(axis=1), norm_T, _populated(x_TS) & (norm_T > 0)), -1.0, 1.0)


def _side_of_median(x_TS: Floats) -> Floats:
    """1 above the session's median, −1 below it, 0 on it or missing; exact, because ranks and their mean are exact."""
    return np.sign(np.nan_to_num(demean(average_ranks(x_TS)), nan=0.0))


def _count(x_TS: Floats) -> NDArray[np.int64]:
    count_T: NDArray[np.int64] = np.count_nonzero(~np.isnan(x_TS), axis=1)
    return count_T


def _populated(x_TS: Floats) -> NDArray[np.bool_]:
    return _count(x_TS) >= MIN_STOCKS


def _ratio(numerator_T: NDArray[np.number], denominator_T: NDArray[np.number], defined_T: NDArray[np.bool_]) -> Floats:
    """The ratio where `defined_T`, NaN elsewhere."""
    ratio_T: Floats = np.full(len(defined_T), np.nan)
    np.divide(numerator_T, denominator_T, out=ratio_T, where=defined_T)
    return ratio_T
