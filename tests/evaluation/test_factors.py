"""Factor returns from bars, and the portfolio's alpha against them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from gogooku3.evaluation.factors import LOOKBACK, attributed, factor_returns
from gogooku3.evaluation.market_state import MarketState, stock_volatility

from .conftest import BOOTSTRAP, calm, prices_of


def closes(sessions: int, stocks: int = 50) -> np.ndarray:
    returns_TS = 0.01 * np.random.default_rng(0).standard_normal((sessions, stocks))
    return 100 * np.cumprod(1 + returns_TS, axis=0)


def history(sessions: int, stocks: int = 50) -> MarketState:
    value_TS = np.random.default_rng(1).uniform(1e6, 1e9, (sessions, stocks))
    close_TS = closes(sessions, stocks)
    volatility_TS = stock_volatility(prices_of(close_TS).next_return_TS)
    return replace(
        calm(sessions, stocks), close_TS=close_TS, traded_value_TS=value_TS, stock_volatility_TS=volatility_TS
    )


def test_a_factor_is_its_top_quintile_minus_its_bottom_quintile() -> None:
    state = history(LOOKBACK + 30)
    next_US = 0.01 * np.random.default_rng(2).standard_normal((20, 50))
    found = factor_returns(state, next_US, np.full(20, 0.001))
    assert list(found) == ["market", "size", "momentum", "reversal", "volatility"]
    close = pd.DataFrame(state.close_TS)
    signals = {
        "size": -pd.DataFrame(state.traded_value_TS),
        "momentum": close.shift(20) / close.shift(250) - 1,
        "reversal": -(close / close.shift(5) - 1),
        "volatility": -close.pct_change().rolling(20).std(),
    }
    for name, signal in signals.items():
        for u, values in enumerate(signal.to_numpy()[-20:]):
            quintile = pd.qcut(values, 5, labels=False)
            expected = next_US[u][quintile == 4].mean() - next_US[u][quintile == 0].mean()
            assert found[name][u] == pytest.approx(expected, rel=1e-9), name
    np.testing.assert_array_equal(found["market"], 0.001)


def test_a_short_history_has_no_momentum_and_a_stock_without_a_bar_is_in_no_factor() -> None:
    state = history(60)
    next_US = 0.01 * np.random.default_rng(2).standard_normal((20, 50))
    found = factor_returns(state, next_US, np.zeros(20))
    assert np.isnan(found["momentum"]).all()
    assert np.isfinite(found["size"]).all()
    state.close_TS[-20:, 7] = np.nan
    extreme_US = next_US.copy()
    extreme_US[:, 7] = 99.0
    before, after = (factor_returns(state, returns, np.zeros(20)) for returns in (next_US, extreme_US))
    for name in ("size", "reversal", "volatility"):
        np.testing.assert_array_equal(before[name], after[name])


def test_alpha_and_betas_are_those_of_statsmodels() -> None:
    rng = np.random.default_rng(3)
    returns = {name: 0.01 * rng.standard_normal(200) for name in ("market", "size", "momentum")}
    returns["momentum"][:30] = np.nan
    net_U = 0.0005 + 0.3 * returns["market"] - 0.2 * returns["size"] + 0.002 * rng.standard_normal(200)
    found = attributed(net_U, returns, BOOTSTRAP, 252)
    fitted = sm.OLS(net_U[30:], sm.add_constant(np.stack(list(returns.values()), axis=1)[30:])).fit()
    assert found["alpha"]["value"] == pytest.approx(252 * fitted.params[0], rel=1e-9)
    assert found["alpha"]["low"] < 252 * 0.0005 < found["alpha"]["high"]
    assert list(found["betas"].values()) == pytest.approx(fitted.params[1:], rel=1e-9)
    assert found["r_squared"] == pytest.approx(fitted.rsquared, rel=1e-9)
    assert found["sessions"] == 170


def test_a_factor_that_is_mostly_unknown_is_left_out() -> None:
    rng = np.random.default_rng(3)
    returns = {name: 0.01 * rng.standard_normal(100) for name in ("market", "momentum")}
    returns["momentum"][:60] = np.nan
    found = attributed(0.5 * returns["market"], returns, BOOTSTRAP, 252)
    assert found["betas"] == {"market": pytest.approx(0.5), "momentum": None}
    assert found["sessions"] == 100
