"""Metrics of a series of session returns: annualised Sharpe ratio, cumulative return, drawdown."""

from __future__ import annotations

import math

import numpy as np

from gogooku3.metrics.cross_section import Floats

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
