"""Preprocessing fitted on the training sessions only (no leakage): the content of `preprocess.json`."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from gogooku3.dataset import normalise
from gogooku3.dataset.schema import Schema


def fit(folder: Path, schema: Schema, days: tuple[date, date], clip: float) -> dict[str, Any]:
    """Fits mean and standard deviation of the `session` features.

    Args:
        folder: dataset folder with the months of features.
        days: first and last training session.
        clip: bound of the normalised values, in standard deviations.
    """
    names = [column.name for column in schema.features if column.scope == "session"]
    training = pl.col("Date").is_between(*days)
    values = pl.concat(
        pl.read_parquet(path, columns=["Date", *names])
        .filter(training)
        .unique("Date", keep="first", maintain_order=True)
        for path in sorted((folder / "features").glob("*.parquet"))
    )
    fitted = {name: normalise.fit(values[name].to_numpy().astype(np.float64)) for name in names}
    return {"abi": schema.abi, "clip": clip, "session": fitted}
