"""The oracle's realised RankIC is measured on split-adjusted returns."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from scipy import stats

from gogooku3.sources.synthetic.oracle import _rank_ics

SESSIONS, STOCKS = 30, 20


@pytest.mark.parametrize("horizon", [1, 5])
def test_splits_do_not_change_the_realised_rank_ic(horizon: int) -> None:
    """It is the rank correlation of the score with the return over the horizon, through two splits of each stock."""
    random = np.random.default_rng(0)
    close_TS = 100 * np.exp(np.cumsum(0.02 * random.standard_normal((SESSIONS, STOCKS)), axis=0))
    score_TS = random.standard_normal((SESSIONS, STOCKS))
    factor_TS = np.ones((SESSIONS, STOCKS))
    for ratio in (1 / 2, 1 / 3):
        factor_TS[random.integers(1, SESSIONS, STOCKS), np.arange(STOCKS)] *= ratio
    days = [date(2024, 1, 1) + timedelta(days=t) for t in range(SESSIONS)]
    bars = pl.DataFrame(
        {
            "Code": [f"{1300 + stock}" for stock in range(STOCKS)] * SESSIONS,
            "Date": [day for day in days for _ in range(STOCKS)],
            "Close": (close_TS * np.cumprod(factor_TS, axis=0)).ravel(),
            "AdjustmentFactor": factor_TS.ravel(),
        }
    )
    found = _rank_ics(bars, pl.DataFrame({f"oracle_{horizon}": score_TS.ravel()}), horizon)
    returns_TS = close_TS[horizon:] / close_TS[:-horizon] - 1
    expected = [stats.spearmanr(*pair).statistic for pair in zip(score_TS, returns_TS, strict=False)]
    np.testing.assert_allclose(found, expected, atol=1e-12)
