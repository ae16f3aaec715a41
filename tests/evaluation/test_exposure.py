from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm

from gogooku3.evaluation import exposure
from gogooku3.evaluation.portfolio import Portfolio, trade

from .conftest import PORTFOLIO, calm, prices_after, sessions_of


def holding(weights_US) -> Portfolio:
    weights_US = np.asarray(weights_US, float)
    params = replace(PORTFOLIO, delay=0, cost_bps=0.0)
    market_state = calm(*weights_US.shape, prices_after(np.zeros_like(weights_US)))
    return trade(weights_US, market_state, sessions_of(len(weights_US)), params)


def test_beta_and_alpha_are_those_of_least_squares():
    rng = np.random.default_rng(0)
    index = 0.01 * rng.standard_normal(200)
    net = 0.0004 + 0.3 * index + 0.003 * rng.standard_normal(200)
    net[[3, 50]], index[70] = np.nan, np.nan
    known = np.isfinite(net) & np.isfinite(index)
    fitted = sm.OLS(net[known], sm.add_constant(index[known])).fit()
    beta, correlation, alpha = exposure.market(net, index)
    assert beta == pytest.approx(fitted.params[1], rel=1e-9)
    assert alpha == pytest.approx(252 * fitted.params[0], rel=1e-9)
    assert correlation**2 == pytest.approx(fitted.rsquared, rel=1e-9)


@pytest.mark.parametrize("index", [np.full(30, 0.001), np.full(30, np.nan)])
def test_a_constant_index_gives_undefined_beta(index):
    assert all(math.isnan(value) for value in exposure.market(np.random.default_rng(0).standard_normal(30), index))


def test_a_sector_holds_the_sum_of_its_stocks():
    backtest = holding([[0.3, -0.2, 0.1, -0.2], [0.1, 0.2, 0.3, -0.4]])
    market_state = replace(calm(2, 4), sectors=("Foods", "Mining", "Foods", "Mining"))
    found = exposure.sectors(backtest, market_state)
    assert list(found) == ["Foods", "Mining"]
    assert found["Foods"] == pytest.approx((0.4 + 0.4) / 2)
    assert found["Mining"] == pytest.approx((-0.4 - 0.2) / 2)


def test_long_the_larger_half_and_short_the_smaller_is_half_of_the_scale():
    value = np.tile(np.arange(1.0, 1001.0) ** 3, (2, 1))
    market_state = replace(calm(2, 1000), traded_value_TS=value)
    long_large = np.where(np.arange(1000) < 500, -1, 1) / 1000
    assert exposure.size(holding([long_large] * 2), market_state) == pytest.approx(0.5, abs=2e-3)
    assert exposure.size(holding([-long_large] * 2), market_state) == pytest.approx(-0.5, abs=2e-3)


def test_size_is_the_rank_among_the_stocks_with_a_bar():
    market_state = replace(calm(1, 4), traded_value_TS=np.array([[5.0, 1.0, 3.0, 99.0]]))
    market_state.close_TS[0, 3] = np.nan
    # Ranks 3, 1, 2 of three run over 1, −1, 0.
    assert exposure.size(holding([[0.25, -0.25, 0.5, 0.0]]), market_state) == pytest.approx(0.25 + 0.25)
