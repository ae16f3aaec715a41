from __future__ import annotations

import numpy as np
import pytest

from gogooku3.evaluation.prices import Prices, with_delisted
from gogooku3.metrics.ranking import rank_ic

from .conftest import prices_of

GAP = np.array([[10.0, 5.0], [np.nan, 5.5], [np.nan, np.nan], [8.0, np.nan], [8.8, np.nan]])


def test_the_return_over_a_gap_is_that_of_the_next_price():
    prices = prices_of(GAP)
    np.testing.assert_allclose(prices.next_return_TS[:, 0], [np.nan, np.nan, -0.2, 0.1, np.nan])
    np.testing.assert_allclose(prices.next_return_TS[:, 1], [0.1, np.nan, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(prices.buyable_TS, np.isfinite(GAP))
    np.testing.assert_array_equal(prices.sellable_TS, np.isfinite(GAP))
    assert not prices.delisting_in_TS.any()
    assert np.isnan(prices.final_return_TS).all()


def test_a_delisting_is_counted_down_and_ends_at_the_last_price():
    prices = prices_of(GAP, {1: 3})
    assert prices.delisting_in_TS[:, 1].tolist() == [3, 2, 1, 0, 0]
    np.testing.assert_allclose(prices.final_return_TS[:, 1], [0.1, 0, np.nan, np.nan, np.nan])


def test_a_bar_after_the_end_of_the_listing_moves_the_delisting():
    assert prices_of(GAP, {1: 1}).delisting_in_TS[:, 1].tolist() == [2, 1, 0, 0, 0]
    assert not prices_of(GAP, {0: 2}).delisting_in_TS.any()


def test_rows_keep_what_follows_the_period():
    whole = prices_of(GAP, {1: 3})
    part = whole.rows(1, 3)
    for name, series_TS in vars(whole).items():
        np.testing.assert_array_equal(getattr(part, name), None if series_TS is None else series_TS[1:3])


def test_a_bar_without_a_trade_cannot_be_traded():
    traded_TS = np.array([[True, False], [True, True]])
    found = Prices.of_closes(np.ones((2, 2)), traded_TS, np.array([9, 9]))
    np.testing.assert_array_equal(found.buyable_TS, traded_TS)
    np.testing.assert_array_equal(found.sellable_TS, traded_TS)


def test_a_stock_that_dies_before_its_horizon_gets_the_last_price_and_the_delisting_return():
    close_TS = np.array([[10.0, 20, 1]] * 6)
    close_TS[:, 0] = [10, 9, 8, np.nan, np.nan, np.nan]
    close_TS[2, 1] = np.nan  # a gap is no delisting
    targets = np.full((6, 3, 2), np.nan)
    for index, horizon in enumerate((1, 2)):
        targets[:-horizon, :, index] = close_TS[horizon:] / close_TS[:-horizon] - 1
    filled, added = with_delisted(targets, (1, 2), prices_of(close_TS, {0: 3}), -0.5)
    assert added.tolist() == [1, 2]
    assert filled[2, 0, 0] == pytest.approx(-0.5)
    assert filled[1, 0, 1] == pytest.approx(8 / 9 * 0.5 - 1)
    assert filled[2, 0, 1] == pytest.approx(-0.5)
    known = np.isfinite(targets)
    np.testing.assert_array_equal(filled[known], targets[known])
    assert np.isfinite(filled).sum() == known.sum() + 3


def test_the_end_of_the_data_is_no_delisting():
    targets = np.full((5, 2, 1), np.nan)
    filled, added = with_delisted(targets, (20,), prices_of(GAP, {1: 3}), 0.0)
    assert added.tolist() == [0]
    assert np.isnan(filled).all()


def test_leaving_dying_stocks_out_flatters_a_model_that_buys_them():
    """The larger the score, the likelier a stock dies; the survivors' returns follow no score."""
    rng = np.random.default_rng(0)
    scores_S = np.arange(50.0)
    close_TS = np.cumprod(1 + 0.01 * rng.standard_normal((21, 50)), axis=0)
    close_TS[6:, 40:] = np.nan
    close_TS[1:6, 40:] *= 0.6
    targets = (close_TS[20] / close_TS[0] - 1)[None, :, None]
    prices = prices_of(close_TS, dict.fromkeys(range(40, 50), 8)).rows(0, 1)
    filled, added = with_delisted(targets, (20,), prices, 0.0)
    without, included = (rank_ic(scores_S[None], y[..., 0])[0] for y in (targets, filled))
    assert added.tolist() == [10]
    assert included < without - 0.2
