"""What else than skill the portfolio's returns may come from: the market, sectors, size."""

from __future__ import annotations

import math

import numpy as np

from gogooku3.evaluation.market_state import MarketState
from gogooku3.evaluation.portfolio import Portfolio
from gogooku3.metrics.cross_section import Floats, average_ranks, demean
from gogooku3.metrics.returns import SESSIONS_PER_YEAR


def market(net_U: Floats, index_return_U: Floats) -> tuple[float, float, float]:
    """Beta, correlation and annual alpha of session returns against the index's; NaN where the index stands still.

    Least squares over the sessions in which both are known: net = alpha/252 + beta · index + residual.
    """
    both_U = np.isfinite(net_U) & np.isfinite(index_return_U)
    net, index = net_U[both_U], index_return_U[both_U]
    if len(net) < 2 or index.max() == index.min() or net.max() == net.min():
        return math.nan, math.nan, math.nan
    x, y = index - index.mean(), net - net.mean()
    beta = float((x * y).sum() / (x * x).sum())
    correlation = float((x * y).sum() / math.sqrt(float((x * x).sum() * (y * y).sum())))
    return beta, correlation, float(net.mean() - beta * index.mean()) * SESSIONS_PER_YEAR


def sectors(held: Portfolio, market_state_U: MarketState) -> dict[str, float]:
    """Mean over sessions of each sector's net weight: its long positions less its short ones."""
    names, sector_S = np.unique(np.asarray(market_state_U.sectors), return_inverse=True)
    mean_S = held.weights_US.mean(axis=0)
    return {str(name): float(mean_S[sector_S == number].sum()) for number, name in enumerate(names)}


def size(held: Portfolio, market_state_U: MarketState) -> float:
    """Mean over sessions of Σ w · size, in which size runs evenly from −1, the smallest stock, to 1.

    The quotes hold no number of shares: a stock's size is its rank by the value usually traded in it, among the
    stocks with a bar. A portfolio that is long the larger half and short the smaller one has 0.5.
    """
    usual_US = np.where(np.isfinite(market_state_U.close_TS), market_state_U.traded_value_TS, np.nan)
    rank_US = demean(average_ranks(usual_US))
    largest_U1 = np.nan_to_num(rank_US, nan=0.0).max(axis=1, keepdims=True, initial=0.0)
    size_US = np.nan_to_num(rank_US, nan=0.0) / np.where(largest_U1 > 0, largest_U1, 1.0)
    return float((held.weights_US * size_US).sum(axis=1).mean())
