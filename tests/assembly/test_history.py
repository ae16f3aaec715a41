"""The history of bars: any range of sessions is adjusted for every split since the first session."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from gogooku3.assembly.history import History

DAYS = [date(2023, 3, 1) + timedelta(days=n) for n in range(6)]
AS_TRADED = {"1301": [100.0, 50.0, 51.0, 17.0, 18.0, 19.0], "1305": [40.0, 41.0, 42.0, 43.0, 86.0, 80.0]}
FACTORS = {"1301": [1.0, 0.5, 1.0, 1 / 3, 1.0, 1.0], "1305": [1.0, 1.0, 1.0, 1.0, 2.0, 1.0]}
"""1301 splits two for one, then three for one; 1305 consolidates."""
ADJUSTED = {"1301": [100.0, 100.0, 102.0, 102.0, 108.0, 114.0], "1305": [40.0, 41.0, 42.0, 43.0, 43.0, 40.0]}


@pytest.fixture
def history() -> History:
    prices = ("Open", "High", "Low", "Close")
    bars = pl.concat(
        pl.DataFrame({"Code": [code] * 6, "Date": DAYS} | dict.fromkeys(prices, closes)).with_columns(
            Volume=pl.lit(600.0), TurnoverValue=pl.lit(1e6), AdjustmentFactor=pl.Series(FACTORS[code])
        )
        for code, closes in AS_TRADED.items()
    )
    listed = pl.DataFrame({"Code": list(AS_TRADED), "Sector33": "a", "MarketSegment": "Prime"})
    index = pl.DataFrame({"Date": DAYS, "Close": [1000.0] * 6})
    return History(bars.sort("Date", "Code").lazy(), listed, index)


def test_two_splits_of_a_stock_multiply_from_the_first_on(history: History) -> None:
    market = history.market()
    for column, (code, expected) in enumerate(ADJUSTED.items()):
        for prices_TS in (market.open_TS, market.high_TS, market.low_TS, market.close_TS):
            np.testing.assert_allclose(prices_TS[:, column], expected, rtol=1e-12, err_msg=code)
    np.testing.assert_allclose(market.volume_TS[:, 0], [600.0, 300.0, 300.0, 100.0, 100.0, 100.0])
    np.testing.assert_allclose(market.volume_TS[:, 1], [600.0, 600.0, 600.0, 600.0, 1200.0, 1200.0])


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (1, 4), (2, 3), (3, 6), (5, None)])
def test_a_range_of_sessions_is_adjusted_like_the_whole_history(history: History, start: int, stop: int | None) -> None:
    whole, part = history.market(), history.market(start, stop)
    np.testing.assert_array_equal(part.sessions, whole.sessions[start:stop])
    np.testing.assert_array_equal(part.close_TS, whole.close_TS[start:stop])
    np.testing.assert_array_equal(part.volume_TS, whole.volume_TS[start:stop])


def test_later_splits_change_nothing_before_them(history: History) -> None:
    """No look-ahead: prices are adjusted from the past on, not back from the latest session."""
    known = History(history.bars.filter(pl.col("Date") <= DAYS[2]), history.listed, history.index)
    np.testing.assert_array_equal(known.market().close_TS, history.market().close_TS[:3])
