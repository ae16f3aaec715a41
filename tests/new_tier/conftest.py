"""Bars of a few stocks in a file with other column names."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest


@pytest.fixture(scope="session")
def bars() -> pl.DataFrame:
    """400 sessions of 12 stocks, valid."""
    days = [day for n in range(560) if (day := date(2022, 1, 3) + timedelta(n)).weekday() < 5]
    random, frames = np.random.default_rng(0), []
    for number in range(12):
        close = 100 * np.cumprod(1 + 0.01 * random.standard_normal(len(days)))
        opened = close * (1 + 0.002 * random.standard_normal(len(days)))
        columns = {
            "Trade Date": days,
            "Ticker": [f"{1300 + number}"] * len(days),
            "open_price": opened,
            "High": np.maximum(opened, close) + 0.5,
            "LOW": np.minimum(opened, close) - 0.5,
            "Close": close,
            "Vol": random.integers(1_000, 9_000, len(days)),
            "Adj Close": close,
            "GICS Sector": [["Foods", "Mining"][number % 2]] * len(days),
        }
        frames.append(pl.DataFrame(columns))
    return pl.concat(frames)
