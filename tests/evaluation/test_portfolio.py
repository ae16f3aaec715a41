from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn

from gogooku3.errors import DataError
from gogooku3.evaluation import portfolio
from gogooku3.evaluation.weights import score_weights

from .conftest import PORTFOLIO, sessions_of

T, S = 6, 5
SECTORS = tuple("AABBB")
scores = stn.arrays(np.float64, (T, S), elements=st.one_of(st.floats(-10, 10, width=16), st.just(np.nan)))
returns = stn.arrays(np.float64, (T, S), elements=st.one_of(st.floats(-0.5, 0.5, width=16), st.just(np.nan)))
settings = st.builds(
    lambda **changes: replace(PORTFOLIO, **changes),
    delay=st.integers(0, 3),
    cost_bps=st.sampled_from([0.0, 7.5, 100.0]),
    borrow_bps=st.sampled_from([0.0, 50.0, 2500.0]),
    max_turnover=st.sampled_from([None, 2.0, 0.3, 0.01]),
    max_weight=st.sampled_from([None, 0.3, 0.1]),
    sector_neutral=st.booleans(),
)


def traded(scores_TS, returns_TS, **changes):
    params = replace(PORTFOLIO, **changes)
    return run(np.asarray(scores_TS, float), np.asarray(returns_TS, float), params)


def run(scores_TS, returns_TS, params):
    wanted_TS = score_weights(scores_TS, SECTORS[: scores_TS.shape[1]], params)
    return portfolio.trade(wanted_TS, returns_TS, sessions_of(len(scores_TS)), params)


def in_yen(wanted_TS, returns_TS, params):
    """Reference backtest in currency: yen in each stock and in cash, trade by trade; wealth by session."""
    stock_count = wanted_TS.shape[1]
    cash, shares = 1e9, [0.0] * stock_count
    wealth, paid, sessions = [cash], [], [t for t in range(len(returns_TS)) if np.isfinite(returns_TS[t]).any()]
    for u in range(params.delay, max(sessions, default=-1) + 1):
        worth = cash + sum(shares)
        wishes = [wanted_TS[u - params.delay, s] * worth - shares[s] for s in range(stock_count)]
        volume = sum(abs(wish) for wish in wishes)
        part = 1.0
        if params.max_turnover is not None and volume > params.max_turnover * worth:
            part = params.max_turnover * worth / volume
        fees = 0.0
        for s in range(stock_count):
            order = wishes[s] * part
            shares[s] += order
            cash -= order
            fees += abs(order) * params.cost_bps / 10_000
        borrowed = sum(-share for share in shares if share < 0)
        fees += borrowed * params.borrow_bps / 10_000 / 252
        for s in range(stock_count):
            if math.isfinite(returns_TS[u, s]):
                shares[s] *= 1 + returns_TS[u, s]
        cash -= fees
        paid.append(fees)
        wealth.append(cash + sum(shares))
    return np.array(wealth), np.array(paid)


def test_three_stocks_by_hand():
    # Demeaned scores (1, 0, −1), then (−1, −1, 2): weights (.5, 0, −.5), then (−.25, −.25, .5).
    backtest = traded(
        [[3, 2, 1], [0, 0, 3], [9, 9, 9.5]],
        [[9, 9, 9], [0.02, 0.01, -0.04], [0.04, -0.02, 0.01]],
        cost_bps=10.0,
        borrow_bps=252.0,
    )
    np.testing.assert_allclose(backtest.weights_US, [[0.5, 0, -0.5], [-0.25, -0.25, 0.5]])
    assert (backtest.rows.start, backtest.rows.stop) == (1, 3)
    np.testing.assert_allclose(backtest.gross_U, [0.01 + 0.02, -0.01 + 0.005 + 0.005], atol=1e-17)
    np.testing.assert_allclose(backtest.borrow_U, [0.5e-4, 0.5e-4])
    # One basis point a session on the short half, ten on the trades: 1, then the rebalance of the drifted weights.
    left = 1 + 0.03 - 0.001 - 0.5e-4
    drifted = np.array([0.5 * 1.02, 0, -0.5 * 0.96]) / left
    np.testing.assert_allclose(backtest.trades_US, [[0.5, 0, -0.5], [-0.25, -0.25, 0.5] - drifted])
    np.testing.assert_allclose(backtest.turnover_U, [1.0, 0.25 + drifted[0] + 0.25 + 0.5 - drifted[2]])
    np.testing.assert_allclose(backtest.cost_U, 1e-3 * backtest.turnover_U)
    np.testing.assert_allclose(backtest.net_U, backtest.gross_U - backtest.cost_U - backtest.borrow_U, atol=1e-17)


def test_without_delay_a_score_earns_the_return_of_its_own_close():
    backtest = traded([[1, -1]], [[0.02, -0.02]], delay=0)
    np.testing.assert_allclose(backtest.gross_U, [0.02])


@given(scores, returns, settings)
def test_the_books_are_those_of_a_plain_account_in_yen(scores_TS, returns_TS, params):
    wanted_TS = score_weights(scores_TS, SECTORS, params)
    backtest = portfolio.trade(wanted_TS, returns_TS, sessions_of(T), params)
    wealth, paid = in_yen(wanted_TS, returns_TS, params)
    if backtest.flat_U.all():
        assert np.isnan(backtest.net_U).all()
        np.testing.assert_array_equal(wealth, 1e9)
        return
    np.testing.assert_allclose(np.diff(wealth) / wealth[:-1], backtest.net_U, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(paid / wealth[:-1], backtest.cost_U + backtest.borrow_U, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(1e9 * np.prod(1 + backtest.net_U), wealth[-1], rtol=1e-9)


@given(scores, returns, settings)
def test_capital_is_conserved_and_every_trade_accounted_for(scores_TS, returns_TS, params):
    backtest = run(scores_TS, returns_TS, params)
    if backtest.flat_U.all():
        return
    start = backtest.rows.start
    earned_US = np.nan_to_num(returns_TS[backtest.rows])
    np.testing.assert_allclose((backtest.weights_US * earned_US).sum(axis=1), backtest.gross_U, atol=1e-14)
    np.testing.assert_array_equal(backtest.gross_U - backtest.cost_U - backtest.borrow_U, backtest.net_U)
    np.testing.assert_array_equal(backtest.turnover_U, np.abs(backtest.trades_US).sum(axis=1))
    np.testing.assert_array_equal(backtest.cost_U, params.cost_bps * 1e-4 * backtest.turnover_U)
    short_U = np.maximum(-backtest.weights_US, 0).sum(axis=1)
    np.testing.assert_allclose(backtest.borrow_U, params.borrow_bps * 1e-4 / 252 * short_U, atol=1e-18)
    # Positions after a close are the drifted positions before it plus the trades.
    drifted_US = backtest.weights_US * (1 + earned_US) / (1 + backtest.net_U)[:, None]
    np.testing.assert_allclose(backtest.weights_US[1:], drifted_US[:-1] + backtest.trades_US[1:], atol=1e-12)
    np.testing.assert_array_equal(backtest.weights_US[0], backtest.trades_US[0])
    assert params.max_turnover is None or backtest.turnover_U.max() <= params.max_turnover * (1 + 1e-12)
    assert start == params.delay


@given(scores, returns, st.integers(0, 3))
def test_without_a_limit_the_weights_are_those_that_the_scores_ask_for(scores_TS, returns_TS, delay):
    backtest = traded(scores_TS, returns_TS, delay=delay, max_weight=0.3)
    wanted_TS = score_weights(scores_TS, SECTORS, replace(PORTFOLIO, max_weight=0.3))
    np.testing.assert_array_equal(backtest.weights_US, wanted_TS[: len(backtest.net_U)])
    np.testing.assert_allclose(backtest.weights_US.sum(axis=1), 0, atol=1e-12)


def test_a_limit_of_turnover_makes_every_trade_in_the_same_part():
    flat = np.zeros((3, 4))
    backtest = traded([[2, 1, -1, -2]] * 3, flat, delay=0, max_turnover=0.4, cost_bps=0.0)
    whole = np.array([2, 1, -1, -2]) / 6
    np.testing.assert_allclose(backtest.weights_US, [0.4 * whole, 0.8 * whole, whole])
    np.testing.assert_allclose(backtest.turnover_U, [0.4, 0.4, 0.2])


@given(scores, stn.arrays(np.float64, (T, S), elements=st.floats(-0.125, 0.125, width=16)))
def test_a_market_wide_return_does_not_change_the_gross_return(scores_TS, returns_TS):
    market_T1 = np.linspace(-0.3, 0.4, T)[:, None]
    alone, with_market = traded(scores_TS, returns_TS), traded(scores_TS, returns_TS + market_T1)
    np.testing.assert_allclose(with_market.gross_U, alone.gross_U, atol=1e-12)


@given(scores, returns, st.integers(0, 3), st.integers(0, T - 1))
def test_scores_and_returns_of_later_sessions_change_nothing_before_them(scores_TS, returns_TS, delay, cut):
    returns_TS = np.nan_to_num(returns_TS)
    scores_TS[0] = np.arange(S)
    later_scores, later_returns = scores_TS.copy(), returns_TS.copy()
    later_scores[cut + 1 :] = np.arange(S)[::-1]
    later_returns[cut + 1 :] = 0.25
    backtest = traded(scores_TS, returns_TS, delay=delay, max_turnover=0.5)
    other = traded(later_scores, later_returns, delay=delay, max_turnover=0.5)
    seen = max(cut + 1 - delay, 0)
    np.testing.assert_array_equal(other.net_U[:seen], backtest.net_U[:seen])
    np.testing.assert_array_equal(other.weights_US[:seen], backtest.weights_US[:seen])


def test_a_position_without_a_next_return_earns_nothing_is_counted_and_moves_no_other_weight():
    backtest = traded([[3, 2, 1]], [[np.nan, np.nan, -0.04]], delay=0)
    np.testing.assert_allclose(backtest.weights_US, [[0.5, 0, -0.5]])
    np.testing.assert_allclose(backtest.gross_U, [0.02])
    assert backtest.unpriced_U.tolist() == [1]  # the second stock has no return either, but no position


def test_sessions_at_the_end_without_returns_are_left_out():
    returns_TS = np.full((5, 2), 0.01)
    returns_TS[1] = returns_TS[3:] = np.nan
    backtest = traded(np.tile([1.0, 2.0], (5, 1)), returns_TS)
    assert (backtest.rows.start, backtest.rows.stop) == (1, 3)
    assert backtest.unpriced_U.tolist() == [2, 0]


def test_equal_scores_sell_the_position_and_pay_for_it():
    backtest = traded([[1, 2], [0.1, 0.1], [1, 2]], np.zeros((3, 2)), delay=0, cost_bps=100.0)
    assert backtest.flat_U.tolist() == [False, True, False]
    np.testing.assert_allclose(backtest.turnover_U, [1, 1 / 0.99, 1])
    np.testing.assert_allclose(backtest.net_U, -0.01 * backtest.turnover_U)


def test_a_portfolio_that_never_held_anything_has_no_returns_rather_than_zero():
    backtest = traded(np.full((3, 4), 0.1), np.full((3, 4), 0.01), delay=0)
    for series in (backtest.gross_U, backtest.cost_U, backtest.borrow_U, backtest.net_U, backtest.turnover_U):
        assert np.isnan(series).all()


def test_a_record_shorter_than_the_delay_is_empty():
    assert len(traded(np.ones((2, 3)), np.ones((2, 3)), delay=5).net_U) == 0


def test_a_loss_of_all_the_capital_is_refused_with_its_session():
    with pytest.raises(DataError, match=r"close of 2023-05-02 lost 150% of its capital"):
        traded([[1, -1]] * 2, [[0.0, 0.0], [0.0, 3.0]], delay=0, cost_bps=0.0)


def test_a_loss_of_exactly_all_the_capital_is_refused():
    with pytest.raises(DataError, match="lost 100% of its capital"):
        traded([[1, -1]] * 2, [[0.0, 0.0], [-1.0, 1.0]], delay=0, cost_bps=0.0)


def test_the_break_even_cost_leaves_nothing():
    rng = np.random.default_rng(0)
    scores_TS, returns_TS = rng.standard_normal((60, 5)), 0.01 * rng.standard_normal((60, 5))
    returns_TS += 0.004 * scores_TS
    free = traded(scores_TS, returns_TS, delay=0, cost_bps=0.0, borrow_bps=80.0)
    at_cost = traded(scores_TS, returns_TS, delay=0, cost_bps=portfolio.break_even_bps(free), borrow_bps=80.0)
    assert free.net_U.mean() > 0.001
    # Costs change the capital that drifts; otherwise the turnover is the same.
    assert abs(at_cost.net_U.mean()) < 0.01 * free.net_U.mean()


def test_at_capacity_the_trades_are_the_given_share_of_the_traded_value():
    backtest = traded([[2, 1, -1, -2], [-2, 1, 2, -1]], np.zeros((2, 4)), delay=0)
    value = np.array([[1e6, 2e6, 3e6, 4e6], [5e6, 6e6, 7e6, 8e6]])
    capital = portfolio.capacity(backtest, value, 0.05)
    trades = capital * np.abs(backtest.trades_US)
    assert (trades / value * trades).sum() / trades.sum() == pytest.approx(0.05)


def test_trades_in_stocks_of_unknown_value_are_left_out_of_the_capacity():
    backtest = traded([[2, 1, -1, -2]], np.zeros((1, 4)), delay=0)
    value = np.array([[1e6, np.nan, 0.0, 1e6]])
    # Two trades of a third of the capital in stocks of a million each.
    assert portfolio.capacity(backtest, value, 0.1) == pytest.approx(0.1 * 1e6 * 3)
    assert math.isnan(portfolio.capacity(backtest, np.full((1, 4), np.nan), 0.1))
