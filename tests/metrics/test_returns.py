from __future__ import annotations

import math

import numpy as np
import pytest

from gogooku3.metrics import returns


def test_sharpe_by_hand():
    # Mean 2, deviations ±1 of four returns: standard deviation √(4/3).
    expected = 2 / math.sqrt(4 / 3) * math.sqrt(252)
    assert returns.sharpe(np.array([1.0, 3.0, 1.0, 3.0])) == pytest.approx(expected)


def test_sharpe_of_many_series_is_that_of_each():
    many = np.random.default_rng(0).standard_normal((4, 50))
    many[2] = 0.1
    np.testing.assert_array_equal(returns.sharpe(many), [returns.sharpe(one) for one in many])
    assert np.isnan(returns.sharpe(many)).tolist() == [False, False, True, False]


def test_the_return_of_a_long_short_portfolio_by_hand():
    scores = np.array([[3.0, 1.0, 1.0, np.nan, 9.0], [1.0, 1.0, 1.0, 1.0, 1.0], [2.0, np.nan, np.nan, np.nan, np.nan]])
    held = np.array([0.1, 0.2, -0.2, 5.0, np.nan])
    # Of the three stocks with both, the mean score is 5/3: weights 1/2, −1/4, −1/4.
    np.testing.assert_allclose(returns.long_short_returns(scores, np.tile(held, (3, 1))), [0.05, np.nan, np.nan])


@pytest.mark.parametrize("series", [[], [0.1], [0.1] * 7, [0.1, np.nan, 0.2]])
def test_no_sharpe_without_two_different_known_returns(series):
    assert np.isnan(returns.sharpe(np.array(series)))


def test_cumulative_return_and_drawdown_by_hand():
    net = np.array([-0.1, 0.5, -0.2, 0.25])
    np.testing.assert_allclose(returns.cumulative(net), [-0.1, 0.35, 0.08, 0.35])
    np.testing.assert_allclose(returns.drawdown(net), [-0.1, 0.0, -0.2, 0.0], atol=1e-15)
