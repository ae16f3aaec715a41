"""Scores and what came after them, as a run left them on disk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from gogooku3 import paths
from gogooku3.dataset.contents import Contents
from gogooku3.dataset.schema import Schema, positions, read_json, target_name
from gogooku3.errors import DataError
from gogooku3.metrics.cross_section import Floats


@dataclass(frozen=True, eq=False)
class Predictions:
    """T sessions and S stocks of a split, H horizons."""

    sessions: pl.Series
    """[T] dates, rising."""
    codes: pl.Series
    """[S] names, rising."""
    horizons: tuple[int, ...]
    scores_TSH: Floats
    """NaN where a stock has no bar."""
    targets_TSH: Floats
    """Forward returns from each close; NaN where unknown."""


def read_predictions(root: Path, split: str) -> Predictions:
    """Reads `data/predictions.parquet` and the dataset's targets, in the sessions of a split.

    Raises:
        DataError: an output of the run is absent, or cannot be read.
        MismatchError: the dataset is not what its schema and table of contents say.
    """
    dataset, predictions = root / paths.DATASET, root / paths.PREDICTIONS
    schema = Schema.read(dataset / "schema.json")
    bounds = read_json(dataset / "split.json")[split]
    first, last = (date.fromisoformat(bounds[name]) for name in ("first", "last"))
    inside = pl.col("Date").is_between(first, last)
    if not predictions.is_file():
        raise DataError(f"`{predictions}` is not there", hint="`dvc repro` makes it; `dvc pull` brings it")
    contents = Contents.read(dataset)
    targets = pl.concat(frame.filter(inside) for frame in contents.frames("targets", schema.target_columns))
    scores = pl.read_parquet(predictions).filter(inside)
    pairs = scores.join(targets, on=["Date", "Code"], how="left", maintain_order="left")
    sessions, codes = (pairs[name].unique().sort() for name in ("Date", "Code"))
    row, column = positions(pairs["Date"], sessions), positions(pairs["Code"], codes)

    def laid_out(names: list[str]) -> Floats:
        laid_TSH = np.full((len(sessions), len(codes), len(names)), np.nan)
        laid_TSH[row, column] = pairs.select(names).to_numpy()
        return laid_TSH

    return Predictions(
        sessions=sessions,
        codes=codes,
        horizons=tuple(schema.horizons),
        scores_TSH=laid_out([f"score_{horizon}" for horizon in schema.horizons]),
        targets_TSH=laid_out([target_name(horizon) for horizon in schema.horizons]),
    )
