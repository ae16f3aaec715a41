"""Exported prices: split-adjusted closes; third-party tools compute returns from them."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from gogooku3.export import _prices

DAYS = [date(2023, 3, 1), date(2023, 3, 2), date(2023, 3, 3), date(2023, 3, 6), date(2023, 3, 7)]


def bars_of(code: str, closes: list[float | None], factors: list[float]) -> pl.DataFrame:
    return pl.DataFrame({"Code": [code] * 5, "Date": DAYS, "Close": closes, "AdjustmentFactor": factors})


def test_exported_prices_run_through_two_splits_without_a_jump() -> None:
    """The splits before the first exported day count too."""
    bars = pl.concat(
        [
            bars_of("1301", [100.0, 50.0, 51.0, 17.0, 18.0], [1.0, 0.5, 1.0, 1 / 3, 1.0]),
            bars_of("1305", [40.0, 41.0, None, 43.0, 86.0], [1.0, 1.0, 1.0, 1.0, 2.0]),
        ]
    )
    prices = _prices(bars, DAYS[2])
    assert list(prices.columns) == ["1301", "1305"]
    assert [day.date() for day in prices.index] == DAYS[2:]
    np.testing.assert_allclose(prices["1301"], [102.0, 102.0, 108.0])
    np.testing.assert_allclose(prices["1305"], [np.nan, 43.0, 43.0])
