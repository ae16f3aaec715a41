"""Factor exposures of the portfolio: market beta, sectors, size."""

from __future__ import annotations

import math

import numpy as np

from gogooku3.evaluation.market_state import MarketState
from gogooku3.evaluation.portfolio import Portfolio
from gogooku3.metrics.cross_section import Floats, average_ranks, demean
from gogooku3.metrics.returns import SESSIONS_PER_YEAR


def market(net_U: Floats, index_return_U: Floats) -> tuple[float, float, float]:
    """Beta, correlation and annual alpha of session returns against the index; NaN if either series is constant.

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


def sectors(portfolio: Portfolio, market_state_U: MarketState) -> dict[str, float]:
    """Mean over sessions of each sector's net weight: long minus short positions."""
    names, sector_S = np.unique(np.asarray(market_state_U.sectors), return_inverse=True)
    mean_S = portfolio.weights_US.mean(axis=0)
    return {str(name): float(mean_S[sector_S == number].sum()) for number, name in enumerate(names)}


def size(portfolio: Portfolio, market_state_U: MarketState) -> float:
    """Mean over sessions of Σ w · size, in which size is uniform from −1, the smallest stock, to 1.

    The quotes have no number of shares: size is the rank by average traded value among the stocks with a bar. A
    portfolio that is long the larger half and short the smaller one has 0.5.
    """
    traded_US = np.where(np.isfinite(market_state_U.close_TS), market_state_U.traded_value_TS, np.nan)
    rank_US = demean(average_ranks(traded_US))
    largest_U1 = np.nan_to_num(rank_US, nan=0.0).max(axis=1, keepdims=True, initial=0.0)
    size_US = np.nan_to_num(rank_US, nan=0.0) / np.where(largest_U1 > 0, largest_U1, 1.0)
    return float((portfolio.weights_US * size_US).sum(axis=1).mean())
