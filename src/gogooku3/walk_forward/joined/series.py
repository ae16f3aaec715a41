"""What the folds scored in their tests, as one series: each session by the model that was trained for it."""

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
    """T sessions, from the first that a fold tests to the last; NaN in those between that none does."""

    rows: slice
    """Where they lie in the panel."""
    scores_TSH: Floats
    """Of the model."""
    baselines: dict[str, Floats]
    """Scores of each baseline in the same layout."""
    validation_rank_ic: dict[int, Floats]
    """By fold, [H] what its model reached on the sessions by which its epochs were chosen."""


def join(panel: Panel, folds: Sequence[Fold], models: Path, baselines: Path) -> Series:
    """Joins the scores of folds.

    Args:
        panel: of the dataset.
        folds: by rising number; no two test a session.
        models, baselines: folders with `<number>.parquet` of each.

    Raises:
        DataError: a file is absent.
    """
    rows = slice(folds[0].test.start, folds[-1].test.stop)
    joined: dict[str, Floats] = {}
    validation = {}
    for fold in folds:
        of_fold = {"model": _scores(panel, models / f"{fold.number}.parquet")}
        validation[fold.number] = mean_rank_ic(panel, of_fold["model"], fold.rows("validation"))
        of_fold |= read_scores(panel, _there(baselines / f"{fold.number}.parquet"))
        for name, scores_TSH in of_fold.items():
            series_TSH = joined.setdefault(name, np.full(scores_TSH[rows].shape, np.nan))
            series_TSH[fold.test.start - rows.start : fold.test.stop - rows.start] = scores_TSH[fold.test]
    return Series(rows, joined.pop("model"), joined, validation)


def gaps(folds: Sequence[Fold], sessions: NDArray[np.datetime64]) -> list[dict[str, Any]]:
    """The sessions between two tests that no fold tests: `from`, `to`, and how many `sessions`."""
    between = [(one.test.stop, other.test.start) for one, other in pairwise(folds)]
    return [
        {"from": str(sessions[start]), "to": str(sessions[stop - 1]), "sessions": stop - start}
        for start, stop in between
        if stop > start
    ]


def mean_rank_ic(panel: Panel, scores_TSH: Floats, rows: slice) -> Floats:
    """[H] mean RankIC of some of the panel's sessions; NaN where none of them has one."""
    series = [rank_ic(scores_TSH[rows, :, h], panel.y_TSH[rows, :, h]) for h in range(len(panel.horizons))]
    return np.array([np.nan if np.isnan(ic_T).all() else np.nanmean(ic_T) for ic_T in series])


def _scores(panel: Panel, path: Path) -> Floats:
    return to_arrays(panel, pl.read_parquet(_there(path)), [f"score_{h}" for h in panel.horizons])


def _there(path: Path) -> Path:
    if not path.is_file():
        raise DataError(
            f"`{path}` is not there",
            hint=f"make the fold: `dvc repro fold@{path.stem} fold_baselines@{path.stem}`; `dvc repro --pull` takes"
            " what another machine has made and pushed with its run cache",
        )
    return path
