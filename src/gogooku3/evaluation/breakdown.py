"""Breakdown of portfolio metrics by calendar year and by market regime."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gogooku3.evaluation.market_state import MarketState
from gogooku3.evaluation.portfolio import Portfolio
from gogooku3.metrics.cross_section import Floats
from gogooku3.metrics.estimate import mean, number
from gogooku3.metrics.returns import SESSIONS_PER_YEAR, drawdown, sharpe

Bools = NDArray[np.bool_]


def years(portfolio: Portfolio, rank_ic_U: Floats, sessions_U: NDArray[np.datetime64]) -> dict[str, dict[str, Any]]:
    """Metrics of each calendar year, with the maximum drawdown within it.

    Args:
        portfolio: the backtest result.
        rank_ic_U: RankIC of the traded scores, for the sessions at whose close the portfolio rebalanced.
        sessions_U: dates of those sessions.
    """
    year_U = sessions_U.astype("datetime64[Y]")
    return {
        str(year): _metrics(portfolio, rank_ic_U, year_U == year)
        | {"max_drawdown": number(drawdown(portfolio.net_U[year_U == year]).min())}
        for year in np.unique(year_U)
    }


def regimes(portfolio: Portfolio, rank_ic_U: Floats, market_state_U: MarketState) -> dict[str, dict[str, Any]]:
    """Metrics by market regime at the close.

    `rising` and `falling`: sign of the index return over the last 60 sessions. `turbulent` and `calm`: index volatility
    over the last 20 sessions, above its median over these sessions or not. A session without a value is in neither.
    """
    trend_U, volatility_U = market_state_U.trend_T, market_state_U.volatility_T
    known = volatility_U[np.isfinite(volatility_U)]
    median = np.median(known) if len(known) else np.nan
    masks = {
        "rising": trend_U > 0,
        "falling": trend_U <= 0,
        "turbulent": volatility_U > median,
        "calm": volatility_U <= median,
    }
    return {name: _metrics(portfolio, rank_ic_U, mask_U) for name, mask_U in masks.items()}


def _metrics(portfolio: Portfolio, rank_ic_U: Floats, mask_U: Bools) -> dict[str, Any]:
    net = portfolio.net_U[mask_U]
    return {
        "sessions": len(net),
        "sharpe": number(sharpe(net)),
        "annual_return": number(mean(net) * SESSIONS_PER_YEAR),
        "turnover": number(mean(portfolio.turnover_U[mask_U])),
        "rank_ic": number(mean(rank_ic_U[mask_U])),
    }
