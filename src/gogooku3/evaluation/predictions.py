"""Reads predictions (scores) and their targets (forward returns) from the output files of a run."""

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
    """Scores and targets of T sessions, S stocks and H horizons of a split."""

    sessions: pl.Series
    """[T] dates, ascending."""
    codes: pl.Series
    """[S] stock codes, ascending."""
    horizons: tuple[int, ...]
    scores_TSH: Floats
    """NaN where a stock has no bar."""
    targets_TSH: Floats
    """Forward returns from each close; NaN where unknown."""


def read_predictions(root: Path, split: str) -> Predictions:
    """Reads `data/predictions.parquet` and the dataset's targets, in the sessions of a split.

    Raises:
        DataError: an output of the run is missing or cannot be read.
        MismatchError: the dataset does not match its schema or table of contents.
    """
    dataset, predictions = root / paths.DATASET, root / paths.PREDICTIONS
    schema = Schema.read(dataset / "schema.json")
    bounds = read_json(dataset / "split.json")[split]
    first, last = (date.fromisoformat(bounds[name]) for name in ("first", "last"))
    inside = pl.col("Date").is_between(first, last)
    if not predictions.is_file():
        raise DataError(f"`{predictions}` does not exist", hint="run `dvc repro`, or fetch it with `dvc pull`")
    contents = Contents.read(dataset)
    targets = pl.concat(frame.filter(inside) for frame in contents.frames("targets", schema.target_columns))
    scores = pl.read_parquet(predictions).filter(inside)
    pairs = scores.join(targets, on=["Date", "Code"], how="left", maintain_order="left")
    sessions, codes = (pairs[name].unique().sort() for name in ("Date", "Code"))
    row, column = positions(pairs["Date"], sessions), positions(pairs["Code"], codes)

    def to_array(names: list[str]) -> Floats:
        values_TSH = np.full((len(sessions), len(codes), len(names)), np.nan)
        values_TSH[row, column] = pairs.select(names).to_numpy()
        return values_TSH

    return Predictions(
        sessions=sessions,
        codes=codes,
        horizons=tuple(schema.horizons),
        scores_TSH=to_array([f"score_{horizon}" for horizon in schema.horizons]),
        targets_TSH=to_array([target_name(horizon) for horizon in schema.horizons]),
    )
