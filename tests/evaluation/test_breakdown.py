from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gogooku3.evaluation import breakdown
from gogooku3.evaluation.portfolio import Portfolio, trade
from gogooku3.evaluation.weights import score_weights
from gogooku3.metrics.returns import drawdown, sharpe

from .conftest import PORTFOLIO, calm, market, prices_after

T = 80
SESSIONS = np.busday_offset("2022-11-01", np.arange(T), roll="forward")
RANK_IC = np.random.default_rng(1).standard_normal(T)


@pytest.fixture(scope="module")
def backtest() -> Portfolio:
    scores, targets = market(sessions=T)
    market_state, params = calm(T, 40, prices_after(targets[..., 0])), replace(PORTFOLIO, delay=0)
    return trade(score_weights(scores[..., 0], market_state.sectors, params), market_state, SESSIONS, params)


def test_a_year_holds_its_own_sessions(backtest):
    table = breakdown.years(backtest, RANK_IC[:-1], SESSIONS[:-1])
    assert list(table) == ["2022", "2023"]
    old = SESSIONS[:-1] < np.datetime64("2023-01-01")
    assert table["2022"]["sessions"] == old.sum() == 44
    for name, chosen in (("2022", old), ("2023", ~old)):
        assert table[name]["sharpe"] == pytest.approx(float(sharpe(backtest.net_U[chosen])))
        assert table[name]["annual_return"] == pytest.approx(252 * backtest.net_U[chosen].mean())
        assert table[name]["turnover"] == pytest.approx(backtest.turnover_U[chosen].mean())
        assert table[name]["max_drawdown"] == drawdown(backtest.net_U[chosen]).min()
        assert table[name]["rank_ic"] == pytest.approx(RANK_IC[:-1][chosen].mean())


def test_a_session_is_in_one_regime_of_each_kind_or_in_neither(backtest):
    market_state = calm(T - 1, 40)
    market_state.trend_T[:] = np.where(np.arange(T - 1) < 30, 0.02, -0.02)
    market_state.trend_T[0], market_state.trend_T[40] = np.nan, 0.0
    market_state.volatility_T[:] = np.arange(T - 1)
    market_state.volatility_T[:10] = np.nan
    table = breakdown.regimes(backtest, RANK_IC[:-1], market_state)
    assert {name: row["sessions"] for name, row in table.items()} == {
        "rising": 29,
        "falling": 49,
        "turbulent": 34,
        "calm": 35,
    }
    assert table["rising"]["sharpe"] == pytest.approx(float(sharpe(backtest.net_U[1:30])))
    assert table["calm"]["annual_return"] == pytest.approx(252 * backtest.net_U[10:45].mean())


def test_an_unknown_market_leaves_every_regime_empty_and_undefined(backtest):
    market_state = replace(calm(T - 1, 40), trend_T=np.full(T - 1, np.nan), volatility_T=np.full(T - 1, np.nan))
    for row in breakdown.regimes(backtest, RANK_IC[:-1], market_state).values():
        assert row == {"sessions": 0, "sharpe": None, "annual_return": None, "turnover": None, "rank_ic": None}
