"""Returns of the same trades at other costs and other capital."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gogooku3.evaluation.curves import COSTS_BPS, SHARES_OF_CAPACITY, capacity_curve, cost_curve
from gogooku3.evaluation.portfolio import Portfolio, break_even_bps, capacity, trade
from gogooku3.evaluation.weights import score_weights

from .conftest import PORTFOLIO, market, outcome_of, sessions_of


def backtest(cost_bps: float = 5.0) -> Portfolio:
    scores_TSH, targets_TSH = market(strength=0.2)
    params = replace(PORTFOLIO, cost_bps=cost_bps)
    weights_TS = score_weights(scores_TSH[..., 0], ("",) * 40, params)
    return trade(weights_TS, outcome_of(targets_TSH).market_state, sessions_of(80), params)


def test_the_curve_passes_through_the_portfolio_and_its_break_even_cost() -> None:
    portfolio = backtest()
    rows = cost_curve(portfolio, 252)
    assert [row["cost_bps"] for row in rows] == list(COSTS_BPS)
    assert rows[1]["annual_return"] == pytest.approx(portfolio.net_U.mean() * 252, rel=1e-12)
    # The return falls in a line, which is 0 at the break-even cost.
    slope = (rows[-1]["annual_return"] - rows[0]["annual_return"]) / 50
    assert -rows[0]["annual_return"] / slope == pytest.approx(break_even_bps(portfolio), rel=1e-9)


def test_a_point_is_close_to_a_backtest_at_that_cost() -> None:
    """Costs change the capital, and by it the next trades: in the second order only."""
    rows = {row["cost_bps"]: row for row in cost_curve(backtest(), 252)}
    for cost in (0, 20):
        assert rows[cost]["annual_return"] == pytest.approx(backtest(cost).net_U.mean() * 252, rel=1e-2)


def test_impact_is_the_square_root_of_the_share_of_the_traded_value() -> None:
    portfolio = backtest()
    value_US, volatility_US = np.full(portfolio.trades_US.shape, 1e8), np.full(portfolio.trades_US.shape, 0.02)
    volatility_US[:, 3] = np.nan
    limit = capacity(portfolio, value_US, 0.05)
    rows = capacity_curve(portfolio, value_US, volatility_US, limit, 0.05, 252)
    assert [row["capital"] for row in rows] == pytest.approx([share * limit for share in SHARES_OF_CAPACITY])
    assert [row["participation"] for row in rows] == pytest.approx([share * 0.05 for share in SHARES_OF_CAPACITY])
    for row in rows:
        traded = np.abs(portfolio.trades_US)
        impact_U = (traded * 0.02 * np.sqrt(row["capital"] * traded / 1e8)).sum(axis=1)
        assert row["annual_return"] == pytest.approx((portfolio.net_U - impact_U).mean() * 252, rel=1e-9)
    returns = [row["annual_return"] for row in rows]
    assert returns == sorted(returns, reverse=True)


def test_trades_without_a_traded_value_have_no_impact_and_without_a_capacity_there_is_no_curve() -> None:
    portfolio = backtest()
    value_US, volatility_US = np.full(portfolio.trades_US.shape, np.nan), np.full(portfolio.trades_US.shape, 0.02)
    (row, *_) = capacity_curve(portfolio, value_US, volatility_US, 1e9, 0.05, 252)
    assert row["annual_return"] == pytest.approx(portfolio.net_U.mean() * 252)
    assert capacity_curve(portfolio, value_US, volatility_US, float("nan"), 0.05, 252) == []
