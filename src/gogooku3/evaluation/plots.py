"""Data series of the DVC plots, written as CSV; an undefined value is NaN, which a chart shows as a gap."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from gogooku3.evaluation.evaluate import Evaluation
from gogooku3.metrics.cross_section import Floats
from gogooku3.metrics.paired_difference import horizons_of
from gogooku3.runtime.files import write_csv

SMOOTHED = 20
"""Sessions in the rolling mean of the RankIC."""


def write_plots(evaluation: Evaluation, curves: pl.DataFrame, folder: Path) -> None:
    """Writes one file per chart into `folder`.

    - `cumulative_return.csv`: `Date`, `cumulative_net`, `drawdown`;
    - `baselines.csv`: `Date`, `track`, `cumulative_net`, from `compare_with_baselines`;
    - `rank_ic.csv`: `Date`, `horizon`, `rank_ic`, `mean_20` (trailing mean of 20 sessions, NaN before the 20th);
    - `quantiles.csv`: `horizon`, `quantile`, `mean_return`.
    """
    portfolio = evaluation.sessions.filter(pl.col("net").is_not_nan())
    write_csv(portfolio.select("Date", "cumulative_net", "drawdown"), folder / "cumulative_return.csv")
    write_csv(curves, folder / "baselines.csv")
    write_csv(_rank_ic_by_horizon(evaluation.sessions), folder / "rank_ic.csv")
    write_csv(evaluation.quantiles, folder / "quantiles.csv")


def _rank_ic_by_horizon(sessions: pl.DataFrame) -> pl.DataFrame:
    """Long format, one row per horizon and session, so that the columns do not depend on the horizons."""
    return pl.concat(
        sessions.select(
            "Date",
            pl.lit(horizon, dtype=pl.Int64).alias("horizon"),
            pl.col(f"rank_ic_{horizon}").alias("rank_ic"),
            pl.Series("mean_20", _rolling_mean(sessions[f"rank_ic_{horizon}"].to_numpy())),
        )
        for horizon in horizons_of(sessions)
    )


def _rolling_mean(values_T: Floats) -> Floats:
    """Mean of each session and the 19 before it; NaN if one of them is missing."""
    means_T = np.full(len(values_T), np.nan)
    if len(values_T) >= SMOOTHED:
        means_T[SMOOTHED - 1 :] = np.lib.stride_tricks.sliding_window_view(values_T, SMOOTHED).mean(axis=1)
    return means_T
