"""Details beside the headline metrics: risk, drawdowns, months, factors, costs, statistics of the scores."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gogooku3.config.evaluation import Bootstrap, Measures
from gogooku3.evaluation import curves, factors
from gogooku3.evaluation.evaluate import Evaluation, Outcome
from gogooku3.evaluation.market_state import MarketState
from gogooku3.evaluation.portfolio import Portfolio, capacity
from gogooku3.evaluation.score_details import score_details
from gogooku3.metrics import track
from gogooku3.metrics.bootstrap import interval
from gogooku3.metrics.cross_section import Floats
from gogooku3.metrics.estimate import estimate, number
from gogooku3.metrics.regression import least_squares
from gogooku3.metrics.returns import SESSIONS_PER_YEAR, sharpe

ROLLING = 60
"""Sessions in the windows of the rolling Sharpe ratio and beta."""


def details(
    evaluation: Evaluation, scores_TSH: Floats, outcome: Outcome, history: MarketState, params: Measures
) -> dict[str, Any]:
    """What `metrics/details/<split>.json` has; an undefined number is None.

    An estimate is `value`, `low`, `high` of its 95 % interval. Returns are fractions of capital after costs, dated by
    the close from which they are earned.

    - `returns`: estimates of `annual_return`, `compound_annual_return`, `annual_volatility`, `max_drawdown`,
      `turnover`, `capacity`, `sortino`, `calmar`, `value_at_risk`, `expected_shortfall` (`gogooku3.metrics.track`);
    - `index`: estimates of `beta`, annual `alpha`, `annual_excess_return`, `tracking_error`, `information_ratio`;
    - `drawdowns`: the five deepest; `months`; `histogram` of the session returns;
    - `rolling`: `window`, and by the last session of each window `dates`, `sharpe`, `beta`;
    - `factors`: `alpha`, `betas`, `r_squared`, `sessions` (`gogooku3.evaluation.factors`);
    - `cost_curve`, `capacity_curve` (`gogooku3.evaluation.curves`);
    - the statistics of the scores (`gogooku3.evaluation.score_details`).

    Args:
        evaluation: the result of `evaluate` for the scores.
        scores_TSH: the scores.
        outcome: the targets and market state that they were evaluated on.
        history: market state of the same stocks, of the sessions of `outcome` and up to `factors.LOOKBACK` before them.
        params: section `evaluation`.
    """
    portfolio, bootstrap = evaluation.portfolio, params.bootstrap
    net_U, rows = portfolio.net_U, portfolio.rows
    dates_U = outcome.sessions[rows]
    index_U = outcome.market_state.next_index_return_T[rows]
    traded_value_US = outcome.market_state.traded_value_TS[rows]
    if np.isnan(net_U).any():  # no position was ever taken
        return score_details(scores_TSH, outcome, params)
    until_U = history.rows(0, len(history.close_TS) - len(outcome.sessions) + rows.stop)
    returns = factors.factor_returns(until_U, outcome.target(1)[rows], index_U)
    participation = params.portfolio.participation
    return {
        "returns": _returns(portfolio, traded_value_US, params),
        "index": _against_index(net_U, index_U, bootstrap),
        "drawdowns": track.worst_drawdowns(net_U, dates_U),
        "months": track.months(net_U, dates_U),
        "rolling": _rolling(net_U, index_U, dates_U),
        "histogram": track.histogram(net_U),
        "factors": factors.attributed(net_U, returns, bootstrap, SESSIONS_PER_YEAR),
        "cost_curve": curves.cost_curve(portfolio, SESSIONS_PER_YEAR),
        "capacity_curve": curves.capacity_curve(
            portfolio,
            traded_value_US,
            outcome.market_state.stock_volatility_TS[rows],
            capacity(portfolio, traded_value_US, participation),
            participation,
            SESSIONS_PER_YEAR,
        ),
        **score_details(scores_TSH, outcome, params),
    }


def _returns(portfolio: Portfolio, traded_value_US: Floats, params: Measures) -> dict[str, Any]:
    """Estimates of the portfolio's returns, trades and capacity."""
    net_U, per_year = portfolio.net_U, SESSIONS_PER_YEAR
    statistics: dict[str, Callable[[Floats], Floats]] = {
        "annual_return": lambda net: net.mean(axis=-1) * per_year,
        "compound_annual_return": lambda net: track.compound_annual_return(net, per_year),
        "annual_volatility": lambda net: track.volatility(net, per_year),
        "max_drawdown": track.max_drawdown,
        "sortino": lambda net: track.sortino(net, per_year),
        "calmar": lambda net: track.calmar(net, per_year),
        "value_at_risk": track.value_at_risk,
        "expected_shortfall": track.expected_shortfall,
    }
    table = {name: _estimate(net_U, statistic, params.bootstrap) for name, statistic in statistics.items()}
    # The widening of an interval does not know that no drawdown is above 0.
    highest = table["max_drawdown"]["high"]
    table["max_drawdown"]["high"] = None if highest is None else min(highest, 0.0)
    table["turnover"] = _estimate(portfolio.turnover_U, lambda turnover: turnover.mean(axis=-1), params.bootstrap)
    known_US = traded_value_US > 0
    trades_US = np.where(known_US, np.abs(portfolio.trades_US), 0.0)
    impact_U = (trades_US * trades_US / np.where(known_US, traded_value_US, 1.0)).sum(axis=1)

    def capital(sums_DU2: Floats) -> Floats:
        traded_D, impact_D = sums_DU2[..., 0].sum(axis=1), sums_DU2[..., 1].sum(axis=1)
        found_D: Floats = np.full(len(traded_D), np.nan)
        np.divide(params.portfolio.participation * traded_D, impact_D, out=found_D, where=impact_D > 0)
        return found_D

    table["capacity"] = _estimate(np.stack([trades_US.sum(axis=1), impact_U], axis=1), capital, params.bootstrap)
    return table


def _against_index(net_U: Floats, index_U: Floats, bootstrap: Bootstrap) -> dict[str, Any]:
    """Estimates of the returns against the index, over the sessions in which it is known.

    `beta` and annual `alpha` by least squares; `annual_excess_return` (mean of net − index) divided by
    `tracking_error`, their annual standard deviation, is the `information_ratio` (Grinold and Kahn, 2000).
    """
    pairs_U2 = np.stack([net_U, index_U], axis=1)[np.isfinite(index_U)]

    def of_line(place: int) -> Callable[[Floats], Floats]:
        def statistic(pairs_DU2: Floats) -> Floats:
            constant_D, slope_D1 = least_squares(pairs_DU2[..., 0], pairs_DU2[..., 1:])
            return slope_D1[:, 0] if place else constant_D * SESSIONS_PER_YEAR

        return statistic

    def of_excess(statistic: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
        return lambda pairs_DU2: statistic(pairs_DU2[..., 0] - pairs_DU2[..., 1])

    statistics = {
        "beta": of_line(1),
        "alpha": of_line(0),
        "annual_excess_return": of_excess(lambda excess: excess.mean(axis=-1) * SESSIONS_PER_YEAR),
        "tracking_error": of_excess(lambda excess: track.volatility(excess, SESSIONS_PER_YEAR)),
        "information_ratio": of_excess(sharpe),
    }
    if len(pairs_U2) < 2:
        return {name: estimate(math.nan, (math.nan, math.nan)) for name in statistics}
    return {name: _estimate(pairs_U2, statistic, bootstrap) for name, statistic in statistics.items()}


def _rolling(net_U: Floats, index_U: Floats, dates_U: np.ndarray) -> dict[str, Any]:
    net_VW, index_VW = track.windows(net_U, ROLLING), track.windows(index_U, ROLLING)
    beta_V = least_squares(net_VW, index_VW[..., None])[1][:, 0] if len(net_VW) else np.empty(0)
    return {
        "window": ROLLING,
        "dates": [str(date) for date in dates_U[ROLLING - 1 :]],
        "sharpe": [number(value) for value in sharpe(net_VW)],
        "beta": [number(value) for value in beta_V],
    }


def _estimate(values: Floats, statistic: Callable[[Floats], Floats], bootstrap: Bootstrap) -> dict[str, Any]:
    return estimate(statistic(values[None])[0], interval(values, statistic, bootstrap, horizon=1))
