"""The market state of a period equals that part of the whole market's: it reads enough sessions before the period."""

from __future__ import annotations

import numpy as np
import pytest

from gogooku3.evaluation.market import market_state_of
from gogooku3.evaluation.market_state import TREND, MarketState

from ..walk_forward.conftest import Market, market  # noqa: F401


@pytest.mark.parametrize(("first", "last"), [(TREND, TREND), (TREND + 5, 124), (10, 40), (0, 159)])
def test_a_period_has_the_market_state_of_its_sessions(market: Market, first: int, last: int) -> None:  # noqa: F811
    panel, quotes = market.panel, market.quotes
    whole = MarketState.of_quotes(panel.sessions, panel.codes, quotes.bars, quotes.listed, quotes.index)
    expected, found = whole.rows(first, last + 1), market_state_of(panel, quotes, first, last)
    assert found.sectors == expected.sectors
    for name in ("close_TS", "trend_T", "volatility_T"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
    np.testing.assert_allclose(found.traded_value_TS, expected.traded_value_TS, rtol=1e-12)
    np.testing.assert_array_equal(found.next_index_return_T, expected.next_index_return_T)
    ahead_TS = expected.prices.delisting_in_TS
    reached_TS = ahead_TS + np.arange(len(ahead_TS))[:, None] < len(ahead_TS) + max(panel.horizons)
    assert (ahead_TS > 0).any() == (first < 110)
    for name in ("buyable_TS", "sellable_TS", "next_return_TS"):
        np.testing.assert_array_equal(getattr(found.prices, name), getattr(expected.prices, name), err_msg=name)
    np.testing.assert_array_equal(found.prices.delisting_in_TS, np.where(reached_TS, ahead_TS, 0))
    final_TS = np.where(reached_TS, expected.prices.final_return_TS, np.nan)
    np.testing.assert_array_equal(found.prices.final_return_TS, final_TS)
    assert np.isfinite(found.trend_T).all() == (first >= TREND)
