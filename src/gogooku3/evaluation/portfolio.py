"""The one portfolio by which scores are judged, and the one Sharpe ratio.

At the close of session t the scores are known. `delay` sessions later, at the close of session u = t + delay,
the portfolio takes weights proportional to the scores less their mean over the scored stocks, dollar-neutral
(Σw = 0) and of unit gross (Σ|w| = 1), and holds them for one session: it earns target_1 of session u, the
return from close u to close u + 1. With a delay of 0 it would trade at the very prices that the scores were
made from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gogooku3.evaluation.cross_section import Floats, centred

SESSIONS_PER_YEAR = 252
_BASIS_POINT = 1e-4


@dataclass(frozen=True)
class Portfolio:
    """What the portfolio held and earned, over the U sessions at whose close it was set.

    `gross_U`, `cost_U`, `net_U` and `turnover_U` are NaN throughout when no position was ever taken.
    """

    rows: slice
    """Where the U sessions lie among the T: from the one `delay` after the first to the last with a
    next return."""
    weights_US: Floats
    gross_U: Floats
    """Σ w · target_1."""
    cost_U: Floats
    """Cost of reaching the weights, as a fraction of capital."""
    net_U: Floats
    """Gross less cost."""
    turnover_U: Floats
    """Σ |w − previous w|, the first position included; drift within a session is not counted."""
    flat_U: NDArray[np.bool_]
    """No position, as no two stocks had different scores: the last one is sold, nothing is earned."""
    unpriced_U: NDArray[np.int64]
    """Positions in stocks without a next return. They earn 0: to leave them out and rescale the others would
    be to know at the close which stocks trade in the next session."""


def trade(
    scores_TS: NDArray[np.floating], next_returns_TS: NDArray[np.floating], delay: int, cost_bps: float
) -> Portfolio:
    """Runs the portfolio.

    Args:
        scores_TS: scores known at each session's close, NaN where a stock has none.
        next_returns_TS: simple returns from that close to the next, NaN where unknown.
        delay: sessions between the close of the scores and the close at which they are traded.
        cost_bps: cost in basis points of the traded value.
    """
    priced_TS = np.isfinite(next_returns_TS)
    stop = int(np.flatnonzero(priced_TS.any(axis=1)).max(initial=-1)) + 1
    rows = slice(min(delay, stop), stop)
    priced_US = priced_TS[rows]
    weights_US = neutral_weights(scores_TS[: rows.stop - rows.start])
    returns_US = np.where(priced_US, next_returns_TS[rows], 0.0).astype(np.float64)
    turnover_U = np.abs(np.diff(weights_US, axis=0, prepend=0.0)).sum(axis=1)
    flat_U = (weights_US == 0).all(axis=1)
    defined = np.nan if flat_U.all() else 1.0
    gross_U = (weights_US * returns_US).sum(axis=1) * defined
    cost_U = cost_bps * _BASIS_POINT * turnover_U * defined
    return Portfolio(
        rows=rows,
        weights_US=weights_US,
        gross_U=gross_U,
        cost_U=cost_U,
        net_U=gross_U - cost_U,
        turnover_U=turnover_U * defined,
        flat_U=flat_U,
        unpriced_U=((weights_US != 0) & ~priced_US).sum(axis=1),
    )


def neutral_weights(scores_TS: NDArray[np.floating]) -> Floats:
    """Weights proportional to the demeaned scores, Σw = 0 and Σ|w| = 1 in each session; 0 without a score.

    A session whose scores are all equal or missing has no weights: 0 throughout.
    """
    deviation_TS = centred(scores_TS.astype(np.float64))
    gross_T1 = np.abs(deviation_TS).sum(axis=1, keepdims=True)
    return deviation_TS / np.where(gross_T1 > 0, gross_T1, 1.0)


def sharpe(returns: Floats) -> Floats:
    """Annualised Sharpe ratio of session returns along the last axis: mean / standard deviation × √252.

    The standard deviation has n − 1 degrees of freedom. NaN where fewer than two returns exist, one is NaN,
    or all are equal.
    """
    ratio: Floats = np.full(returns.shape[:-1], np.nan)
    if returns.shape[-1] < 2:
        return ratio
    deviation = returns.std(axis=-1, ddof=1)
    varied = (returns.max(axis=-1) > returns.min(axis=-1)) & (deviation > 0)
    np.divide(returns.mean(axis=-1) * math.sqrt(SESSIONS_PER_YEAR), deviation, out=ratio, where=varied)
    return ratio


def cumulative(net_U: Floats) -> Floats:
    """Compounded return from the start to the end of each session: Π(1 + net) − 1."""
    return _wealth(net_U) - 1


def drawdown(net_U: Floats) -> Floats:
    """Compounded wealth over its highest value so far, the start included, less 1: never above 0."""
    wealth_U = _wealth(net_U)
    peak_U: Floats = np.maximum.accumulate(np.maximum(wealth_U, 1.0))
    return wealth_U / peak_U - 1


def _wealth(net_U: Floats) -> Floats:
    return np.cumprod(1 + net_U, dtype=np.float64)
