"""Scores of all baselines as one table, and back to arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from gogooku3.panel.panel import Panel, Targets
from gogooku3.panel.table import to_arrays, to_frame

NAMES = ("ridge", "lightgbm", "mlp", "ridge_ema", "reversal", "momentum")
"""Names of the baselines, in display order."""


def to_table(panel: Panel, scores: dict[str, np.ndarray], first: int) -> pl.DataFrame:
    """`Date`, `Code` and `<name>_<horizon>`, one row per bar, of scores [sessions, S, H] from index `first` on."""
    key = to_frame(panel, next(iter(scores.values())), first).select("Date", "Code")
    columns = [
        to_frame(panel, scores_TSH, first).select(
            pl.col(f"score_{h}").alias(name) for h, name in zip(panel.horizons, _columns(panel, baseline), strict=True)
        )
        for baseline, scores_TSH in scores.items()
    ]
    return pl.concat([key, *columns], how="horizontal")


def read_scores(panel: Targets, path: Path) -> dict[str, np.ndarray]:
    """Scores by name on all sessions of the panel, [T, S, H]; NaN where the table has no score.

    Tables of earlier versions have fewer baselines.
    """
    frame = pl.read_parquet(path)
    columns = {name: _columns(panel, name) for name in NAMES}
    return {name: to_arrays(panel, frame, own) for name, own in columns.items() if own[0] in frame.columns}


def _columns(panel: Targets, name: str) -> list[str]:
    return [f"{name}_{h}" for h in panel.horizons]
