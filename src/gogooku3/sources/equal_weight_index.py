"""Equal-weight market index, for bars without an index."""

from __future__ import annotations

import numpy as np
import polars as pl

BASE = 1000.0


def equal_weight_index(bars: pl.DataFrame) -> pl.DataFrame:
    """Equal-weight index: the stocks' mean adjusted return of each session, chained from 1000.

    A stock's return starts at its previous bar, even if sessions lie between. A session without returns leaves the
    index unchanged.

    Args:
        bars: `Code`, `Date`, `Close` and `AdjustmentFactor`, sorted by (Date, Code).
    """
    adjusted = bars.select(
        "Date",
        "Code",
        close=pl.col("Close") / pl.col("AdjustmentFactor").cum_prod().over("Code"),
    ).filter(pl.col("close") > 0)
    returns = adjusted.select("Date", gain=pl.col("close") / pl.col("close").shift().over("Code") - 1).drop_nulls()
    sessions = bars["Date"].unique().sort()
    # Sums in row order: deterministic for any number of threads.
    session = sessions.search_sorted(returns["Date"]).to_numpy()
    count_T = np.bincount(session, minlength=len(sessions))
    sum_T = np.bincount(session, weights=returns["gain"].to_numpy(), minlength=len(sessions))
    mean_T = sum_T / np.maximum(count_T, 1)
    return pl.DataFrame({"Date": sessions, "Close": BASE * np.cumprod(1 + mean_T)})
