"""The portfolio year by year, and by what the market was doing."""

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


def years(held: Portfolio, rank_ic_U: Floats, sessions_U: NDArray[np.datetime64]) -> dict[str, dict[str, Any]]:
    """Metrics of each calendar year, with the largest fall inside it.

    Args:
        held: the portfolio.
        rank_ic_U: RankIC of the scores that are traded, of the sessions at whose close the portfolio was set.
        sessions_U: dates of those sessions.
    """
    year_U = sessions_U.astype("datetime64[Y]")
    return {
        str(year): _metrics(held, rank_ic_U, year_U == year)
        | {"max_drawdown": number(drawdown(held.net_U[year_U == year]).min())}
        for year in np.unique(year_U)
    }


def regimes(held: Portfolio, rank_ic_U: Floats, market_state_U: MarketState) -> dict[str, dict[str, Any]]:
    """Metrics of the sessions in which, at the close, the market was one thing or the other.

    `rising` and `falling`: by the index's return over the last 60 sessions. `turbulent` and `calm`: by its volatility
    over the last 20, above its median over these sessions or not. A session for which that is unknown is in neither.
    """
    trend_U, volatility_U = market_state_U.trend_T, market_state_U.volatility_T
    known = volatility_U[np.isfinite(volatility_U)]
    middle = np.median(known) if len(known) else np.nan
    members = {
        "rising": trend_U > 0,
        "falling": trend_U <= 0,
        "turbulent": volatility_U > middle,
        "calm": volatility_U <= middle,
    }
    return {name: _metrics(held, rank_ic_U, chosen_U) for name, chosen_U in members.items()}


def _metrics(held: Portfolio, rank_ic_U: Floats, chosen_U: Bools) -> dict[str, Any]:
    net = held.net_U[chosen_U]
    return {
        "sessions": len(net),
        "sharpe": number(sharpe(net)),
        "annual_return": number(mean(net) * SESSIONS_PER_YEAR),
        "turnover": number(mean(held.turnover_U[chosen_U])),
        "rank_ic": number(mean(rank_ic_U[chosen_U])),
    }
