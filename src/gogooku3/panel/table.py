"""Converts scores between dense arrays and data frames with one row per session and stock."""

from __future__ import annotations

import numpy as np
import polars as pl

from gogooku3.dataset.schema import positions
from gogooku3.panel.panel import Panel, Targets


def to_frame(panel: Panel, scores_TSP: np.ndarray, first: int) -> pl.DataFrame:
    """The scores of the sessions from index `first` on: Date, Code, `score_<horizon>`, one row per bar."""
    row_N, stock_N = np.nonzero(panel.present_TS[first : first + len(scores_TSP)])
    return pl.DataFrame(
        {
            "Date": panel.sessions[first + row_N],
            "Code": np.array(panel.codes)[stock_N],
            **{f"score_{h}": scores_TSP[row_N, stock_N, p] for p, h in enumerate(panel.horizons)},
        }
    )


def to_arrays(panel: Targets, frame: pl.DataFrame, columns: list[str]) -> np.ndarray:
    """Columns of a (Date, Code) frame as an array [T, S, len(columns)] on the panel's axes; NaN if there is no row."""
    sessions, codes = pl.Series(panel.sessions), pl.Series(panel.codes)
    rows = frame.filter(pl.col("Date").is_in(sessions.implode()), pl.col("Code").is_in(codes.implode()))
    aligned_TSC = np.full((len(panel.sessions), len(panel.codes), len(columns)), np.nan)
    aligned_TSC[positions(rows["Date"], sessions), positions(rows["Code"], codes)] = rows.select(columns).to_numpy()
    return aligned_TSC
