"""An index for bars that come without one."""

from __future__ import annotations

import numpy as np
import polars as pl

BASE = 1000.0


def equal_weight_index(bars: pl.DataFrame) -> pl.DataFrame:
    """Equally weighted index: the members' mean adjusted return of each session, chained from 1000.

    A member's return runs from its bar before, whichever session that was. A session without any return leaves
    the index where it was.

    Args:
        bars: `Code`, `Date`, `Close` and `AdjustmentFactor`, in the order of (Date, Code).
    """
    adjusted = bars.select(
        "Date",
        "Code",
        close=pl.col("Close") / pl.col("AdjustmentFactor").cum_prod().over("Code"),
    ).filter(pl.col("close") > 0)
    returns = adjusted.select("Date", gain=pl.col("close") / pl.col("close").shift().over("Code") - 1).drop_nulls()
    sessions = bars["Date"].unique().sort()
    # Sums in row order, whatever the number of threads.
    number = sessions.search_sorted(returns["Date"]).to_numpy()
    count_T = np.bincount(number, minlength=len(sessions))
    sum_T = np.bincount(number, weights=returns["gain"].to_numpy(), minlength=len(sessions))
    mean_T = sum_T / np.maximum(count_T, 1)
    return pl.DataFrame({"Date": sessions, "Close": BASE * np.cumprod(1 + mean_T)})
