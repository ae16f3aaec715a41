from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest

from gogooku3.assembly.history import History
from gogooku3.errors import DataError
from gogooku3.features.market import Market

DAYS = [date(2023, 3, 1), date(2023, 3, 2), date(2023, 3, 3), date(2023, 3, 6)]


def _bars(code: str, closes: list[float | None], factors: list[float] | None = None) -> pl.DataFrame:
    n = len(closes)
    return pl.DataFrame(
        {
            "Code": [code] * n,
            "Date": DAYS[:n],
            "Open": closes,
            "High": closes,
            "Low": closes,
            "Close": closes,
            "Volume": [100.0] * n,
            "TurnoverValue": [5000.0] * n,
            "AdjustmentFactor": factors or [1.0] * n,
        },
        schema_overrides=dict.fromkeys(("Open", "High", "Low", "Close"), pl.Float64),
    )


def _market(*bars: pl.DataFrame, **given: Any) -> Market:
    codes = sorted({code for frame in bars for code in frame["Code"]})
    listed = pl.DataFrame({"Code": codes, "Sector33": ["b", "a"][: len(codes)], "MarketSegment": "Prime"})
    index = pl.DataFrame({"Date": DAYS, "Close": [1000.0, 1010.0, 1000.0, 1000.0]})
    rows = pl.concat(bars).sort("Date", "Code").lazy()
    return History(rows, given.get("listed", listed), given.get("index", index)).market()


def test_a_split_divides_later_prices_and_multiplies_later_volumes() -> None:
    market = _market(_bars("1301", [100.0, 104.0, 53.0, 54.0], [1.0, 1.0, 0.5, 1.0]))
    np.testing.assert_array_equal(market.close_TS[:, 0], [100.0, 104.0, 106.0, 108.0])
    np.testing.assert_array_equal(market.volume_TS[:, 0], [100.0, 100.0, 50.0, 50.0])
    np.testing.assert_array_equal(market.turnover_TS[:, 0], [5000.0] * 4)


def test_a_later_split_changes_nothing_before_it() -> None:
    before = _market(_bars("1301", [100.0, 104.0, 106.0]))
    after = _market(_bars("1301", [100.0, 104.0, 106.0, 27.0], [1.0, 1.0, 1.0, 0.25]))
    np.testing.assert_array_equal(after.close_TS[:3], before.close_TS)


def test_a_split_on_a_row_without_a_close_still_counts() -> None:
    market = _market(_bars("1301", [100.0, None, 53.0], [1.0, 0.5, 1.0]), _bars("1305", [1.0, 1.0, 1.0]))
    np.testing.assert_array_equal(market.close_TS[:, 0], [100.0, np.nan, 106.0])


def test_a_bar_without_a_close_does_not_count_and_returns_need_consecutive_sessions() -> None:
    market = _market(_bars("1301", [100.0, None, 110.0, 121.0]), _bars("1305", [5.0, 5.0, 5.0, 5.0]))
    np.testing.assert_array_equal(market.present_TS[:, 0], [True, False, True, True])
    np.testing.assert_allclose(market.return_TS[:, 0], [np.nan, np.nan, np.nan, np.log(1.1)])


def test_sessions_and_codes_are_sorted_for_any_order_of_rows() -> None:
    bars = pl.concat([_bars("1305", [5.0, 6.0]), _bars("1301", [1.0, 2.0])])
    market = _market(bars[::-1])
    assert market.codes == ("1301", "1305")
    np.testing.assert_array_equal(market.close_TS, [[1.0, 5.0], [2.0, 6.0]])
    np.testing.assert_array_equal(market.sessions, np.array(["2023-03-01", "2023-03-02"], "datetime64[D]"))


def test_sectors_are_numbered_in_the_order_of_their_names() -> None:
    market = _market(_bars("1301", [1.0]), _bars("1305", [1.0]))
    np.testing.assert_array_equal(market.sector_S, [1, 0])
    np.testing.assert_array_equal(market.segment_S, [0, 0])


def test_the_index_is_nan_in_sessions_without_a_level() -> None:
    market = _market(_bars("1301", [1.0, 1.0, 1.0]), index=pl.DataFrame({"Date": DAYS[1:3], "Close": [10.0, 11.0]}))
    np.testing.assert_allclose(market.index_return_T, [np.nan, np.nan, np.log(1.1)])


def test_a_range_of_sessions_keeps_the_adjustment() -> None:
    market = _market(_bars("1301", [100.0, 52.0, 53.0, 54.0], [1.0, 0.5, 1.0, 1.0]))
    part = market.rows(2, 4)
    np.testing.assert_array_equal(part.close_TS, market.close_TS[2:4])
    np.testing.assert_array_equal(part.index_T, market.index_T[2:4])
    assert part.present_TS.shape == (2, 1)


def test_unlisted_stocks_are_an_error() -> None:
    listed = pl.DataFrame({"Code": ["1305"], "Sector33": ["a"], "MarketSegment": ["Prime"]})
    with pytest.raises(DataError, match="1 stocks have bars and are not in `listed`: 1301"):
        _market(_bars("1301", [1.0]), _bars("1305", [1.0]), listed=listed)


def test_bars_without_any_close_are_refused() -> None:
    with pytest.raises(DataError, match="no bar has a close"):
        _market(_bars("1301", [None, None]))
