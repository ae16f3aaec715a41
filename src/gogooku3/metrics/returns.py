"""Session returns of a long-short portfolio, and metrics of them: annualised Sharpe ratio, drawdown."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gogooku3.metrics.cross_section import Floats, demean_by_range, mask_pairs

SESSIONS_PER_YEAR = 252


def sharpe(returns: Floats) -> Floats:
    """Annualised Sharpe ratio of session returns along the last axis: mean / standard deviation × √252.

    The standard deviation has n − 1 degrees of freedom. NaN if there are fewer than two returns, one is NaN, or all
    are equal.
    """
    ratio: Floats = np.full(returns.shape[:-1], np.nan)
    if returns.shape[-1] < 2:
        return ratio
    deviation = returns.std(axis=-1, ddof=1)
    varied = (returns.max(axis=-1) > returns.min(axis=-1)) & (deviation > 0)
    np.divide(returns.mean(axis=-1) * math.sqrt(SESSIONS_PER_YEAR), deviation, out=ratio, where=varied)
    return ratio


def long_short_returns(scores_TS: NDArray[np.floating], returns_TS: NDArray[np.floating]) -> Floats:
    """Return of each session of the dollar-neutral portfolio of unit gross exposure with weights proportional to the
    scores minus their mean, before costs, [T].

    Args:
        scores_TS: scores at the start of the sessions.
        returns_TS: returns of the stocks; a stock without a score or a return is not held.

    Returns:
        NaN for a session with fewer than two stocks, or with equal scores.
    """
    scores, returns = mask_pairs(scores_TS, returns_TS)
    deviation_TS = demean_by_range(scores)
    gross_T = np.abs(deviation_TS).sum(axis=1)
    earned_T = (deviation_TS * np.nan_to_num(returns, nan=0.0)).sum(axis=1)
    result_T: Floats = np.full(len(scores), np.nan)
    np.divide(earned_T, gross_T, out=result_T, where=gross_T > 0)
    return result_T


def cumulative(net_U: Floats) -> Floats:
    """Cumulative (compounded) return from the start to the end of each session: Π(1 + net) − 1."""
    return _wealth(net_U) - 1


def drawdown(net_U: Floats) -> Floats:
    """Drawdown: compounded wealth divided by its running maximum (including the start), minus 1; never above 0."""
    wealth_U = _wealth(net_U)
    peak_U: Floats = np.maximum.accumulate(np.maximum(wealth_U, 1.0))
    return wealth_U / peak_U - 1


def _wealth(net_U: Floats) -> Floats:
    return np.cumprod(1 + net_U, dtype=np.float64)
