"""Joins the test scores of all folds to one series: each session is scored by the model of its fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gogooku3.baselines.table import read_scores
from gogooku3.errors import DataError
from gogooku3.metrics.cross_section import Floats
from gogooku3.metrics.ranking import rank_ic
from gogooku3.panel.panel import Panel
from gogooku3.panel.table import to_arrays
from gogooku3.walk_forward.plan import Fold


@dataclass(frozen=True, eq=False)
class Series:
    """T sessions, from the first to the last test session; NaN in sessions that no fold tests."""

    rows: slice
    """Rows of the sessions in the panel."""
    scores_TSH: Floats
    """Scores of the model."""
    baselines: dict[str, Floats]
    """Scores of each baseline, in the same layout."""
    validation_rank_ic: dict[int, Floats]
    """[H] RankIC of each fold's model on its validation sessions, on which epochs are chosen."""


def join(panel: Panel, folds: Sequence[Fold], models: Path, baselines: Path) -> Series:
    """Joins the scores of folds.

    Args:
        panel: panel of the dataset.
        folds: ordered by number; their test sessions do not overlap.
        models, baselines: folders with `<number>.parquet` of each fold.

    Raises:
        DataError: a file is missing.
    """
    rows = slice(folds[0].test.start, folds[-1].test.stop)
    joined: dict[str, Floats] = {}
    validation = {}
    for fold in folds:
        of_fold = {"model": _scores(panel, models / f"{fold.number}.parquet")}
        validation[fold.number] = mean_rank_ic(panel, of_fold["model"], fold.rows("validation"))
        of_fold |= read_scores(panel, _existing(baselines / f"{fold.number}.parquet"))
        for name, scores_TSH in of_fold.items():
            series_TSH = joined.setdefault(name, np.full(scores_TSH[rows].shape, np.nan))
            series_TSH[fold.test.start - rows.start : fold.test.stop - rows.start] = scores_TSH[fold.test]
    return Series(rows, joined.pop("model"), joined, validation)


def gaps(folds: Sequence[Fold], sessions: NDArray[np.datetime64]) -> list[dict[str, Any]]:
    """Ranges of sessions between two tests that no fold tests: `from`, `to`, and number of `sessions`."""
    between = [(one.test.stop, other.test.start) for one, other in pairwise(folds)]
    return [
        {"from": str(sessions[start]), "to": str(sessions[stop - 1]), "sessions": stop - start}
        for start, stop in between
        if stop > start
    ]


def mean_rank_ic(panel: Panel, scores_TSH: Floats, rows: slice) -> Floats:
    """[H] mean RankIC over some of the panel's sessions; NaN if none of them has one."""
    series = [rank_ic(scores_TSH[rows, :, h], panel.y_TSH[rows, :, h]) for h in range(len(panel.horizons))]
    return np.array([np.nan if np.isnan(ic_T).all() else np.nanmean(ic_T) for ic_T in series])


def _scores(panel: Panel, path: Path) -> Floats:
    return to_arrays(panel, pl.read_parquet(_existing(path)), [f"score_{h}" for h in panel.horizons])


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise DataError(
            f"`{path}` does not exist",
            hint=f"run the fold: `dvc repro fold@{path.stem} fold_baselines@{path.stem}`; with `--pull` it fetches"
            " results that another machine has pushed with its run cache",
        )
    return path
