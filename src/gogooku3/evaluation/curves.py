"""Return and Sharpe ratio of the evaluated portfolio at other transaction costs and at other capital."""

from __future__ import annotations

from typing import Any

import numpy as np

from gogooku3.evaluation.portfolio import BASIS_POINT, Portfolio
from gogooku3.metrics.cross_section import Floats
from gogooku3.metrics.estimate import number
from gogooku3.metrics.returns import sharpe

COSTS_BPS = (0, 5, 10, 20, 50)
"""Transaction costs of the cost curve, in basis points of the traded value."""

SHARES_OF_CAPACITY = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Capital of the capacity curve, as multiples of the capacity."""


def cost_curve(portfolio: Portfolio, per_year: float) -> list[dict[str, Any]]:
    """Annual return and Sharpe ratio of the same trades at each of `COSTS_BPS` instead of their costs."""
    before_U = portfolio.net_U + portfolio.cost_U
    return [
        {"cost_bps": cost, **_returns(before_U - cost * BASIS_POINT * portfolio.turnover_U, per_year)}
        for cost in COSTS_BPS
    ]


def capacity_curve(
    portfolio: Portfolio,
    traded_value_US: Floats,
    volatility_US: Floats,
    capacity: float,
    participation: float,
    per_year: float,
) -> list[dict[str, Any]]:
    """Annual return and Sharpe ratio of the same trades by capital, with market impact instead of the portfolio's own.

    In addition to its costs, a trade of value q in a stock of traded value v and session volatility σ costs
    q · σ · √(q / v): the square-root law (Grinold and Kahn, 2000, chapter 16; Tóth et al., 2011) with coefficient 1:
    to trade one session's volume costs one session's volatility. A stock of unknown volatility has the mean of
    the session's; trades without a traded value are left out, as from the capacity.

    Args:
        portfolio: the backtest result.
        traded_value_US: average traded value per session.
        volatility_US: standard deviation of the stock's session returns.
        capacity, participation: the capital at which trades are on average this share of the traded value.

    Returns:
        `capital`, mean `participation` at it, `annual_return`, `sharpe`; no rows if the capacity is undefined.
    """
    if not np.isfinite(capacity):
        return []
    traded_US = np.abs(portfolio.trades_US)
    share_US = np.sqrt(np.divide(traded_US, traded_value_US, out=np.zeros_like(traded_US), where=traded_value_US > 0))
    known_US = np.isfinite(volatility_US)
    total_U1 = np.where(known_US, volatility_US, 0.0).sum(axis=1, keepdims=True)
    mean_U1 = total_U1 / np.maximum(known_US.sum(axis=1, keepdims=True), 1)
    before_U = portfolio.net_U + portfolio.impact_U
    impact_U = (traded_US * share_US * np.where(known_US, volatility_US, mean_U1)).sum(axis=1)
    return [
        {
            "capital": share * capacity,
            "participation": share * participation,
            **_returns(before_U - np.sqrt(share * capacity) * impact_U, per_year),
        }
        for share in SHARES_OF_CAPACITY
    ]


def _returns(net_U: Floats, per_year: float) -> dict[str, Any]:
    return {"annual_return": number(net_U.mean() * per_year), "sharpe": number(sharpe(net_U))}
