"""How well scores order the stocks of a session, and how far a mean over sessions is from chance.

The metrics of a session take scores and targets [T sessions, S stocks], NaN where missing, use the stocks that
have both, and are NaN where fewer than `MIN_STOCKS` have both or where the scores or the targets are all equal.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gogooku3.evaluation.cross_section import Floats, average_ranks, centred, paired, relative

MIN_STOCKS = 10
"""Stocks that a session needs. Under chance a rank correlation of n stocks has standard deviation 1/√(n − 1):
a third at ten, and a smaller session would weigh as much as a full one in the mean."""


def ic(scores_TS: NDArray[np.floating], targets_TS: NDArray[np.floating]) -> Floats:
    """Information coefficient: Pearson correlation of score and target, [T]."""
    scores, targets = paired(scores_TS, targets_TS)
    return _correlation(scores, targets)


def rank_ic(scores_TS: NDArray[np.floating], targets_TS: NDArray[np.floating]) -> Floats:
    """Spearman correlation of score and target, ties at their average rank, [T]."""
    scores, targets = paired(scores_TS, targets_TS)
    return _correlation(average_ranks(scores), average_ranks(targets))


def hit_rate(scores_TS: NDArray[np.floating], targets_TS: NDArray[np.floating]) -> Floats:
    """Share of stocks whose target is on the same side of the session's median as their score, [T].

    A stock that stands on a median counts neither way. Medians, not means: chance then gives one half however
    skewed scores and targets are.
    """
    scores, targets = paired(scores_TS, targets_TS)
    side_TS = _side_of_median(scores) * _side_of_median(targets)
    decided_T = np.count_nonzero(side_TS, axis=1)
    return _ratio((side_TS > 0).sum(axis=1), decided_T, _populated(scores) & (decided_T > 0))


def quantile_returns(scores_TS: NDArray[np.floating], targets_TS: NDArray[np.floating], quantiles: int) -> Floats:
    """Mean target of each quantile of the scores less the session's mean, [T, quantiles], lowest first.

    Stocks with equal scores stay together, in the quantile of their average rank; a quantile without a stock
    is NaN in that session, as is every quantile of a session with fewer stocks than quantiles.
    """
    scores, targets = paired(scores_TS, targets_TS)
    count_T = _count(scores)
    usable_T = _populated(scores) & (count_T >= quantiles) & centred(scores).any(axis=1)
    # In whole numbers, so that no rounding moves a stock over a border: ⌊(rank − 1/2) · quantiles / count⌋.
    doubled_TS = np.nan_to_num(2 * average_ranks(scores) - 1, nan=0.0).astype(np.int64)
    quantile_TS = doubled_TS * quantiles // np.maximum(2 * count_T, 1)[:, None]
    excess_TS = np.nan_to_num(relative(targets), nan=0.0)
    means_TQ = np.empty((len(scores), quantiles))
    for quantile in range(quantiles):
        member_TS = (quantile_TS == quantile) & ~np.isnan(scores)
        size_T = member_TS.sum(axis=1)
        total_T = np.where(member_TS, excess_TS, 0.0).sum(axis=1)
        means_TQ[:, quantile] = _ratio(total_T, size_T, usable_T & (size_T > 0))
    return means_TQ


def populated_sessions(scores_TS: NDArray[np.floating], targets_TS: NDArray[np.floating]) -> int:
    """Sessions in which at least `MIN_STOCKS` stocks have a score and a target."""
    return int(_populated(paired(scores_TS, targets_TS)[0]).sum())


def newey_west_lag(sessions: int, horizon: int) -> int:
    """Lags that the t-value of a mean over `sessions` values looks back, for targets of `horizon` sessions.

    The larger of Newey and West's (1994) rule of thumb ⌊4 (n/100)^(2/9)⌋ and 1.5 times the horizon − 1
    sessions by which neighbouring targets overlap; the Bartlett weights would cut the overlap short at 1.0.
    At most n − 1.
    """
    rule_of_thumb = math.floor(4 * math.pow(sessions / 100, 2 / 9))
    return min(max(rule_of_thumb, math.ceil(1.5 * (horizon - 1))), sessions - 1)


def newey_west_t(values_T: Floats, horizon: int) -> float:
    """t-value of the mean of `values_T` with Newey and West's (1987) variance, lags by `newey_west_lag`.

    NaN sessions keep their place in time and add nothing: autocovariances are over the pairs of sessions that
    exist (Parzen, 1963). NaN when fewer than two values exist or all are equal. The variance is biased
    downwards when the sample holds few horizons: over 250 sessions of pure noise, |t| > 1.96 comes about 5 %
    of the time at horizon 1, about 10 % at horizon 5, 15 % at horizon 20.
    """
    present_T = ~np.isnan(values_T)
    values = values_T[present_T]
    if len(values) < 2 or values.max() == values.min():
        return math.nan
    mean = values.mean()
    deviation_T = np.where(present_T, values_T - mean, 0.0)
    lag = newey_west_lag(len(values), horizon)
    variance = (deviation_T * deviation_T).sum()
    for step in range(1, lag + 1):
        weight = 1 - step / (lag + 1)
        variance += 2 * weight * (deviation_T[step:] * deviation_T[:-step]).sum()
    standard_error = math.sqrt(max(variance, 0.0)) / len(values)
    return float(mean / standard_error) if standard_error > 0 else math.nan


def _correlation(x_TS: Floats, y_TS: Floats) -> Floats:
    x, y = centred(x_TS), centred(y_TS)
    norm_T = np.sqrt((x * x).sum(axis=1)) * np.sqrt((y * y).sum(axis=1))
    return np.clip(_ratio((x * y).sum(axis=1), norm_T, _populated(x_TS) & (norm_T > 0)), -1.0, 1.0)


def _side_of_median(x_TS: Floats) -> Floats:
    """1 above the session's median, −1 below it, 0 on it or missing; exact, as ranks and their mean are."""
    return np.sign(np.nan_to_num(relative(average_ranks(x_TS)), nan=0.0))


def _count(x_TS: Floats) -> NDArray[np.int64]:
    count_T: NDArray[np.int64] = np.count_nonzero(~np.isnan(x_TS), axis=1)
    return count_T


def _populated(x_TS: Floats) -> NDArray[np.bool_]:
    return _count(x_TS) >= MIN_STOCKS


def _ratio(numerator_T: NDArray[np.number], denominator_T: NDArray[np.number], defined_T: NDArray[np.bool_]) -> Floats:
    """The quotient where it is defined, NaN elsewhere."""
    ratio_T: Floats = np.full(len(defined_T), np.nan)
    np.divide(numerator_T, denominator_T, out=ratio_T, where=defined_T)
    return ratio_T
