from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn

from gogooku3.errors import DataError
from gogooku3.evaluation import portfolio
from gogooku3.evaluation.weights import score_weights
from gogooku3.metrics import returns as returns_of

from .conftest import PORTFOLIO, calm, prices_after, prices_of, sessions_of

T, S = 6, 5
SECTORS = tuple("AABBB")
scores = stn.arrays(np.float64, (T, S), elements=st.one_of(st.floats(-10, 10, width=16), st.just(np.nan)))
returns = stn.arrays(np.float64, (T, S), elements=st.floats(-0.5, 0.5, width=16))
gaps = stn.arrays(np.bool_, (T, S), elements=st.sampled_from([True, False, False]))
"""Whether a stock has no bar."""
ends = st.dictionaries(st.integers(0, S - 1), st.integers(0, T - 1))
"""First session after the listing, by stock."""
settings = st.builds(
    lambda **changes: replace(PORTFOLIO, **changes),
    delay=st.integers(0, 3),
    cost_bps=st.sampled_from([0.0, 7.5, 100.0]),
    borrow_bps=st.sampled_from([0.0, 50.0, 2500.0]),
    max_turnover=st.sampled_from([None, 2.0, 0.3, 0.01]),
    max_weight=st.sampled_from([None, 0.3, 0.1]),
    sector_neutral=st.booleans(),
    delisting_return=st.sampled_from([0.0, -0.3, -1.0]),
)


def traded(scores_TS, returns_TS, **changes):
    params = replace(PORTFOLIO, **changes)
    return run(np.asarray(scores_TS, float), np.asarray(returns_TS, float), params)


def run(scores_TS, returns_TS, params):
    wanted_TS = score_weights(scores_TS, SECTORS[: scores_TS.shape[1]], params)
    market_state = calm(*returns_TS.shape, prices_after(returns_TS))
    return portfolio.trade(wanted_TS, market_state, sessions_of(len(scores_TS)), params)


def closes_of(returns_TS, gaps_TS=None, ends_of=None):
    """T closes that earn the returns, except in gaps and after the end of a listing."""
    close_TS = 100 * np.vstack([np.ones(returns_TS.shape[1]), np.cumprod(1 + returns_TS[:-1], axis=0)])
    if gaps_TS is not None:
        close_TS[gaps_TS] = np.nan
    for stock, end in (ends_of or {}).items():
        close_TS[end:, stock] = np.nan
    return close_TS


def held_through(wanted_TS, close_TS, params, ends_of=None):
    market_state = calm(*close_TS.shape, prices_of(close_TS, ends_of))
    return portfolio.trade(wanted_TS, market_state, sessions_of(len(close_TS)), params)


def in_yen(wanted_TS, close_TS, ends_of, params):
    """Reference backtest of an account: cash, and a number of shares of each stock, which trade only where they have a
    close and are worth their last one. Returns wealth by session and fees."""
    stock_count = wanted_TS.shape[1]
    cash, shares, price = 1e9, [0.0] * stock_count, [math.nan] * stock_count
    known_TS = np.isfinite(close_TS)
    stop = max((t for t in range(1, len(close_TS)) if (known_TS[t] & known_TS[:t].any(axis=0)).any()), default=0)
    for t in range(min(params.delay, stop) + 1):
        price = [close_TS[t, s] if math.isfinite(close_TS[t, s]) else price[s] for s in range(stock_count)]

    def value(s):
        return shares[s] * price[s] if shares[s] else 0.0

    wealth, paid = [cash], []
    for u in range(params.delay, stop):
        worth = cash + sum(map(value, range(stock_count)))
        open_now = [math.isfinite(close_TS[u, s]) for s in range(stock_count)]
        orders = [0.0] * stock_count
        for side in (1, -1):
            asked = [max(side * wanted_TS[u - params.delay, s] * worth, 0.0) for s in range(stock_count)]
            stuck = sum(max(side * value(s), 0.0) for s in range(stock_count) if not open_now[s])
            free = sum(asked[s] for s in range(stock_count) if open_now[s])
            part = min(1.0, max(sum(asked) - stuck, 0.0) / free) if free else 0.0
            for s in range(stock_count):
                if open_now[s]:
                    orders[s] += side * asked[s] * part
        orders = [orders[s] - value(s) if open_now[s] else 0.0 for s in range(stock_count)]
        volume = sum(map(abs, orders))
        if params.max_turnover is not None and volume > params.max_turnover * worth:
            orders = [order * params.max_turnover * worth / volume for order in orders]
        for s in range(stock_count):
            if orders[s]:
                shares[s] += orders[s] / price[s]
                cash -= orders[s]
        fees = sum(map(abs, orders)) * params.cost_bps / 10_000
        fees += sum(max(-value(s), 0.0) for s in range(stock_count)) * params.borrow_bps / 10_000 / 252
        price = [close_TS[u + 1, s] if math.isfinite(close_TS[u + 1, s]) else price[s] for s in range(stock_count)]
        for s, end in ends_of.items():
            if end == u + 1:
                cash += value(s) * (1 + params.delisting_return)
                shares[s] = 0.0
        cash -= fees
        paid.append(fees)
        wealth.append(cash + sum(map(value, range(stock_count))))
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


@given(scores, returns, gaps, ends, settings)
def test_the_books_are_those_of_a_plain_account_in_yen(scores_TS, returns_TS, gaps_TS, ends_of, params):
    close_TS = closes_of(returns_TS, gaps_TS, ends_of)
    wanted_TS = score_weights(scores_TS, SECTORS, params)
    try:
        backtest = held_through(wanted_TS, close_TS, params, ends_of)
    except DataError:
        assume(False)
    wealth, paid = in_yen(wanted_TS, close_TS, ends_of, params)
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
    assert backtest.waiting_U.sum() == backtest.unpriced_U.sum() == 0
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


FREE = replace(PORTFOLIO, delay=0, cost_bps=0.0)


def test_a_loss_over_a_gap_is_booked_at_the_next_price():
    """A position of 5 % that falls 30 % over each of four gaps: 1 − (1 − 0.05 · 0.3 · …)."""
    close_TS = np.ones((24, 20))
    for gap in range(4):
        close_TS[4 + 5 * gap : 6 + 5 * gap, 0] = np.nan
        close_TS[6 + 5 * gap :, 0] *= 0.7
    wanted_TS = np.zeros((24, 20))
    wanted_TS[:, 0], wanted_TS[:, 1] = 0.05, -0.05
    backtest = held_through(wanted_TS, close_TS, FREE)
    booked = np.flatnonzero(backtest.gross_U)
    assert booked.tolist() == [5, 10, 15, 20]
    np.testing.assert_allclose(backtest.gross_U[booked], -0.05 * 0.3)
    assert returns_of.drawdown(backtest.net_U).min() == pytest.approx(0.985**4 - 1)
    assert backtest.unpriced_U.sum() == 8


def test_a_position_is_held_and_not_traded_through_a_gap():
    close_TS = np.ones((6, 3))
    close_TS[2:4, 0] = np.nan
    close_TS[4:, 0] = 1.5
    wanted_TS = np.tile([0.5, -0.25, -0.25], (6, 1))
    wanted_TS[2] = [-0.5, 0.25, 0.25]
    wanted_TS[3] = [0.0, 0.5, -0.5]
    backtest = held_through(wanted_TS, close_TS, FREE)
    # The long side is full with the stock that cannot be sold: nothing else is bought.
    np.testing.assert_allclose(backtest.weights_US[2], [0.5, 0.0, 0.0])
    np.testing.assert_allclose(backtest.weights_US[3], [0.5, 0.0, -0.5])
    np.testing.assert_array_equal(backtest.trades_US[2:4, 0], 0)
    np.testing.assert_allclose(backtest.gross_U, [0, 0, 0, 0.25, 0])
    assert backtest.waiting_U.tolist() == [0, 0, 1, 1, 0]
    assert backtest.unpriced_U.tolist() == [0, 1, 1, 0, 0]


def test_a_position_that_cannot_be_closed_takes_its_part_of_its_side():
    close_TS = np.ones((4, 5))
    close_TS[1:3, 0] = np.nan
    wanted_TS = np.array([[0.2, 0.3, -0.5, 0, 0]] + [[0, 0.3, -0.25, 0.2, -0.25]] * 3)
    backtest = held_through(wanted_TS, close_TS, FREE)
    np.testing.assert_allclose(backtest.weights_US[1], [0.2, 0.18, -0.25, 0.12, -0.25])
    np.testing.assert_allclose(backtest.weights_US.sum(axis=1), 0, atol=1e-15)
    np.testing.assert_allclose(np.abs(backtest.weights_US).sum(axis=1), 1)


def test_a_position_that_cannot_be_opened_is_missing_until_it_can():
    close_TS = np.ones((4, 3))
    close_TS[0, 1] = np.nan
    backtest = held_through(np.tile([0.3, 0.2, -0.5], (4, 1)), close_TS, FREE)
    np.testing.assert_allclose(backtest.weights_US[:2], [[0.3, 0, -0.5], [0.3, 0.2, -0.5]])
    assert backtest.waiting_U.tolist() == [1, 0, 0]


def test_a_delisted_position_is_paid_out_after_the_end_of_the_listing():
    close_TS = np.ones((6, 2))
    close_TS[2:, 0] = np.nan
    wanted_TS = np.tile([0.5, -0.5], (6, 1))
    # The last bar is that of session 1, the listing ends with session 3.
    backtest = held_through(wanted_TS, close_TS, replace(FREE, delisting_return=-0.3), {0: 4})
    np.testing.assert_allclose(backtest.gross_U, [0, 0, 0, -0.15, 0])
    np.testing.assert_allclose(backtest.weights_US[:, 0], [0.5, 0.5, 0.5, 0.5, 0])
    np.testing.assert_array_equal(backtest.trades_US[1:, 0], 0)
    assert backtest.delisted_U.tolist() == [0, 0, 0, 1, 0]
    assert backtest.unpriced_U.tolist() == [0, 1, 1, 0, 0]
    at_last_price = held_through(wanted_TS, close_TS, FREE, {0: 4})
    np.testing.assert_allclose(at_last_price.gross_U, 0)


@given(scores, returns, gaps, ends, settings, st.integers(0, T - 1))
def test_prices_and_delistings_of_later_sessions_change_nothing_before_them(
    scores_TS, returns_TS, gaps_TS, ends_of, params, cut
):
    """Up to the close `cut`: that a stock has no later price, or is delisted, moves no earlier trade."""
    close_TS = closes_of(returns_TS, gaps_TS)
    later_TS = close_TS.copy()
    later_TS[cut + 1 :] = 100.0
    later_ends = {stock: end for stock, end in ends_of.items() if end > cut}
    for stock in later_ends:
        later_TS[cut + 1 :, stock] = np.nan
    wanted_TS = score_weights(scores_TS, SECTORS, params)
    try:
        backtest = held_through(wanted_TS, close_TS, params)
        other = held_through(wanted_TS, later_TS, params, later_ends)
    except DataError:
        assume(False)
    seen = min(max(cut + 1 - params.delay, 0), len(backtest.net_U), len(other.net_U))
    np.testing.assert_array_equal(other.trades_US[:seen], backtest.trades_US[:seen])
    np.testing.assert_array_equal(other.weights_US[:seen], backtest.weights_US[:seen])


def test_sessions_at_the_end_without_prices_are_left_out():
    close_TS = np.ones((5, 2))
    close_TS[1] = close_TS[3:] = np.nan
    backtest = held_through(np.tile([0.5, -0.5], (5, 1)), close_TS, replace(FREE, delay=1))
    assert (backtest.rows.start, backtest.rows.stop) == (1, 2)
    assert backtest.flat_U.all()


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


def with_impact(wanted_TS, market_state, **changes):
    params = replace(FREE, **{"impact": 1.5, "capital": 1e9} | changes)
    return portfolio.trade(np.asarray(wanted_TS, float), market_state, sessions_of(len(wanted_TS)), params)


def test_market_impact_is_the_square_root_law():
    market_state = calm(3, 2)
    market_state.traded_value_TS[:] = [1e8, 4e8]
    market_state.stock_volatility_TS[:] = [0.02, 0.03]
    backtest = with_impact([[0.5, -0.5]] * 3, market_state)
    # 500 million each, of stocks with a traded value of 100 and 400 million.
    first = 0.5 * 1.5 * 0.02 * math.sqrt(5) + 0.5 * 1.5 * 0.03 * math.sqrt(5 / 4)
    np.testing.assert_allclose(backtest.impact_U[0], first)
    np.testing.assert_allclose(backtest.net_U, backtest.gross_U - backtest.impact_U)
    # The second trade only restores what the first cost.
    assert 0 < backtest.impact_U[1] < 0.02 * first


def test_four_times_the_capital_has_twice_the_impact():
    market_state = calm(2, 4)
    one, four = (with_impact([[0.3, 0.2, -0.1, -0.4]] * 2, market_state, capital=capital) for capital in (1e9, 4e9))
    np.testing.assert_allclose(four.impact_U[0], 2 * one.impact_U[0])


def test_a_stock_of_unknown_liquidity_has_the_impact_of_the_median():
    market_state = calm(2, 3)
    market_state.traded_value_TS[:] = [np.nan, 1e8, 4e8]
    market_state.stock_volatility_TS[:] = [0.01, np.nan, 0.03]
    backtest = with_impact([[0.5, -0.5, 0]] * 2, market_state)
    first = 0.5 * 1.5 * 0.01 * math.sqrt(2) + 0.5 * 1.5 * 0.02 * math.sqrt(5)
    np.testing.assert_allclose(backtest.impact_U[0], first)


def test_impact_without_traded_values_is_refused():
    market_state = calm(2, 2)
    market_state.traded_value_TS[:] = np.nan
    with pytest.raises(DataError, match="no stock has a traded value"):
        with_impact([[0.5, -0.5]] * 2, market_state)


def restricted(shape, unbuyable=(), unsellable=(), unshortable=()):
    """A market without returns; each restriction is a list of sessions and stocks."""
    masks = [np.zeros(shape, bool) for _ in range(3)]
    for mask_TS, places in zip(masks, (unbuyable, unsellable, unshortable), strict=True):
        for place in places:
            mask_TS[place] = True
    return calm(*shape, prices_of(np.ones(shape)).restricted(*masks))


def test_at_the_upper_limit_nothing_is_bought_and_at_the_lower_one_nothing_sold():
    wanted_TS = np.array([[0.3, 0.2, -0.5], [-0.3, 0.5, -0.2], [0.3, 0.2, -0.5], [0.3, 0.2, -0.5]])
    market_state = restricted((4, 3), unbuyable=[(1, 1), (2, 0)], unsellable=[(0, 2)])
    backtest = portfolio.trade(wanted_TS, market_state, sessions_of(4), FREE)
    # The short sale waits; then the purchase of the second, and the purchase that covers the first.
    np.testing.assert_allclose(backtest.weights_US, [[0.3, 0.2, 0], [-0.3, 0.2, -0.2], [-0.3, 0.2, -0.2]])
    assert backtest.waiting_U.tolist() == [1, 1, 1]


def test_a_purchase_that_scaling_makes_a_sale_is_not_made_at_the_lower_limit():
    wanted_TS = np.array([[0.25, 0.25, 0.0, -0.5], [0.0, 0.3, 0.2, -0.5], [0.0, 0.3, 0.2, -0.5]])
    market_state = restricted((3, 4), unsellable=[(1, 0), (1, 1)])
    backtest = portfolio.trade(wanted_TS, market_state, sessions_of(3), FREE)
    # The first stock keeps half of the long side: 0.15 would be left for the second, which cannot be sold either.
    np.testing.assert_allclose(backtest.weights_US[1], [0.25, 0.25, 0.1, -0.5])


def test_a_stock_that_cannot_be_borrowed_is_not_sold_short():
    wanted_TS = np.array([[0.5, -0.25, -0.25], [0.5, -0.1, -0.4], [0.5, 0.1, -0.6], [0, 0, 0]])
    market_state = restricted((4, 3), unshortable=[(0, 1), (1, 2), (2, 2)])
    lendable = portfolio.trade(wanted_TS, market_state, sessions_of(4), replace(FREE, short="lendable"))
    # A short position that is held may be kept, and no other is opened or enlarged.
    np.testing.assert_allclose(lendable.weights_US, [[0.5, 0, -0.25], [0.5, -0.1, -0.25], [0.5, 0.1, -0.25]])
    free = portfolio.trade(wanted_TS, market_state, sessions_of(4), FREE)
    np.testing.assert_array_equal(free.weights_US, wanted_TS[:3])


def test_short_sales_of_lendable_stocks_alone_need_to_know_which_are():
    with pytest.raises(DataError, match="do not say which stocks can be borrowed") as caught:
        portfolio.trade(np.zeros((2, 2)), calm(2, 2), sessions_of(2), replace(FREE, short="lendable"))
    assert "set it to all" in caught.value.hint
