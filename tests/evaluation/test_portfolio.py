from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn

from gogooku3.evaluation import portfolio

T, S = 6, 5
scores = stn.arrays(np.float64, (T, S), elements=st.one_of(st.floats(-10, 10, width=16), st.just(np.nan)))
returns = stn.arrays(np.float64, (T, S), elements=st.one_of(st.floats(-0.5, 0.5, width=16), st.just(np.nan)))


def test_three_stocks_by_hand():
    # Demeaned scores (1, 0, -1), then (-1, -1, 2): weights (.5, 0, -.5), then (-.25, -.25, .5).
    scores_TS = np.array([[3.0, 2.0, 1.0], [0.0, 0.0, 3.0], [9.0, 9.0, 9.5]])
    returns_TS = np.array([[9.0, 9.0, 9.0], [0.02, 0.01, -0.04], [0.04, -0.02, 0.01]])
    held = portfolio.trade(scores_TS, returns_TS, delay=1, cost_bps=10)
    np.testing.assert_allclose(held.weights_US, [[0.5, 0, -0.5], [-0.25, -0.25, 0.5]])
    assert (held.rows.start, held.rows.stop) == (1, 3)
    np.testing.assert_allclose(held.gross_U, [0.01 + 0.02, -0.01 + 0.005 + 0.005], atol=1e-17)
    np.testing.assert_allclose(held.turnover_U, [1.0, 0.75 + 0.25 + 1.0])
    np.testing.assert_allclose(held.cost_U, [0.001, 0.002])
    np.testing.assert_allclose(held.net_U, [0.029, -0.002], atol=1e-17)


def test_without_delay_a_score_earns_the_return_of_its_own_close():
    held = portfolio.trade(np.array([[1.0, -1.0]]), np.array([[0.02, -0.02]]), delay=0, cost_bps=0)
    np.testing.assert_allclose(held.gross_U, [0.02])


@given(scores, returns, st.integers(0, 3))
def test_weights_are_neutral_of_unit_gross_and_the_books_balance(scores_TS, returns_TS, delay):
    held = portfolio.trade(scores_TS, returns_TS, delay, cost_bps=7.5)
    gross_exposure = np.abs(held.weights_US).sum(axis=1)
    np.testing.assert_allclose(held.weights_US.sum(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(gross_exposure[~held.flat_U], 1, rtol=1e-12)
    assert not gross_exposure[held.flat_U].any()
    np.testing.assert_array_equal(held.gross_U - held.cost_U, held.net_U)
    np.testing.assert_array_equal(held.cost_U, 7.5e-4 * held.turnover_U)
    unscored = np.isnan(scores_TS[: len(held.net_U)])
    assert not held.weights_US[unscored].any()


@given(scores, stn.arrays(np.float64, (T, S), elements=st.floats(-0.5, 0.5, width=16)))
def test_what_the_whole_market_does_leaves_the_portfolio_as_it_is(scores_TS, returns_TS):
    market_T1 = np.linspace(-0.3, 0.4, T)[:, None]
    alone = portfolio.trade(scores_TS, returns_TS, 1, 5)
    with_market = portfolio.trade(scores_TS, returns_TS + market_T1, 1, 5)
    np.testing.assert_allclose(with_market.net_U, alone.net_U, atol=1e-12)


@given(scores)
def test_scale_and_level_of_the_scores_do_not_matter(scores_TS):
    weights = portfolio.neutral_weights(scores_TS)
    np.testing.assert_allclose(portfolio.neutral_weights(4 * scores_TS + 8), weights, atol=1e-12)


@given(scores, returns, st.integers(0, 3), st.integers(0, T - 1))
def test_scores_and_returns_of_later_sessions_change_nothing_before_them(scores_TS, returns_TS, delay, cut):
    returns_TS = np.nan_to_num(returns_TS)
    scores_TS[0] = np.arange(S)
    later_scores, later_returns = scores_TS.copy(), returns_TS.copy()
    later_scores[cut + 1 :] = np.arange(S)[::-1]
    later_returns[cut + 1 :] = 0.25
    held = portfolio.trade(scores_TS, returns_TS, delay, 5)
    other = portfolio.trade(later_scores, later_returns, delay, 5)
    seen = max(cut + 1 - delay, 0)
    np.testing.assert_array_equal(other.net_U[:seen], held.net_U[:seen])
    np.testing.assert_array_equal(other.weights_US[: cut + 1], held.weights_US[: cut + 1])


def test_a_position_without_a_next_return_earns_nothing_is_counted_and_moves_no_other_weight():
    scores_TS = np.array([[3.0, 2.0, 1.0]])
    held = portfolio.trade(scores_TS, np.array([[np.nan, np.nan, -0.04]]), delay=0, cost_bps=0)
    np.testing.assert_allclose(held.weights_US, [[0.5, 0, -0.5]])
    np.testing.assert_allclose(held.gross_U, [0.02])
    assert held.unpriced_U.tolist() == [1]  # the second stock has no return either, but no position


def test_sessions_at_the_end_that_nobody_has_a_return_for_are_not_part_of_the_record():
    returns_TS = np.full((5, 2), 0.01)
    returns_TS[1] = returns_TS[3:] = np.nan
    held = portfolio.trade(np.tile([1.0, 2.0], (5, 1)), returns_TS, delay=1, cost_bps=0)
    assert (held.rows.start, held.rows.stop) == (1, 3)
    assert held.unpriced_U.tolist() == [2, 0]


def test_equal_scores_sell_the_position_and_pay_for_it():
    scores_TS = np.array([[1.0, 2.0], [0.1, 0.1], [1.0, 2.0]])
    held = portfolio.trade(scores_TS, np.full((3, 2), 0.01), delay=0, cost_bps=100)
    assert held.flat_U.tolist() == [False, True, False]
    np.testing.assert_allclose(held.turnover_U, [1, 1, 1])
    np.testing.assert_allclose(held.net_U, -0.01)


def test_a_portfolio_that_never_held_anything_has_no_returns_rather_than_zero():
    held = portfolio.trade(np.full((3, 4), 0.1), np.full((3, 4), 0.01), delay=0, cost_bps=1)
    for series in (held.gross_U, held.cost_U, held.net_U, held.turnover_U):
        assert np.isnan(series).all()


def test_a_record_shorter_than_the_delay_is_empty():
    held = portfolio.trade(np.ones((2, 3)), np.ones((2, 3)), delay=5, cost_bps=1)
    assert len(held.net_U) == 0


def test_sharpe_by_hand():
    # Mean 2, deviations ±1 of four returns: standard deviation √(4/3).
    expected = 2 / math.sqrt(4 / 3) * math.sqrt(252)
    assert portfolio.sharpe(np.array([1.0, 3.0, 1.0, 3.0])) == pytest.approx(expected)


def test_sharpe_of_many_series_is_that_of_each():
    many = np.random.default_rng(0).standard_normal((4, 50))
    many[2] = 0.1
    np.testing.assert_array_equal(portfolio.sharpe(many), [portfolio.sharpe(one) for one in many])
    assert np.isnan(portfolio.sharpe(many)).tolist() == [False, False, True, False]


@pytest.mark.parametrize("series", [[], [0.1], [0.1] * 7, [0.1, np.nan, 0.2]])
def test_no_sharpe_without_two_different_known_returns(series):
    assert np.isnan(portfolio.sharpe(np.array(series)))


def test_cumulative_return_and_drawdown_by_hand():
    net = np.array([-0.1, 0.5, -0.2, 0.25])
    np.testing.assert_allclose(portfolio.cumulative(net), [-0.1, 0.35, 0.08, 0.35])
    np.testing.assert_allclose(portfolio.drawdown(net), [-0.1, 0.0, -0.2, 0.0], atol=1e-15)
