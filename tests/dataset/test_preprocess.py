"""Preprocessing is fitted on the training sessions only (no leakage)."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gogooku3.dataset import preprocess
from gogooku3.dataset.schema import Column, Schema

SCHEMA = Schema(
    (Column("climate", "climate", 1, "session", "", "float32"), Column("ret_1", "returns", 1, "stock", "", "float32")),
    (1,),
    8,
)
FIRST = date(2024, 1, 1)


def write(folder: Path, values_T: np.ndarray) -> None:
    """Two stocks in each session, in files of 30 sessions."""
    days = [FIRST + timedelta(days=t) for t in range(len(values_T))]
    frame = pl.DataFrame(
        {
            "Date": [day for day in days for _ in range(2)],
            "Code": ["1301", "1302"] * len(days),
            "climate": np.repeat(values_T, 2),
        }
    ).with_columns(pl.lit(1.0).alias("ret_1"))
    (folder / "features").mkdir(parents=True)
    for start in range(0, len(days), 30):
        frame[2 * start : 2 * start + 60].write_parquet(folder / f"features/{start:02}.parquet")


def test_mean_and_deviation_are_those_of_the_training_sessions_only(tmp_path: Path) -> None:
    values_T = np.random.default_rng(0).standard_normal(90)
    write(tmp_path / "one", values_T)
    other_T = values_T.copy()
    other_T[:20] = other_T[70:] = 1e6
    write(tmp_path / "other", other_T)
    days = FIRST + timedelta(days=20), FIRST + timedelta(days=69)
    fitted = preprocess.fit(tmp_path / "one", SCHEMA, days, 5.0)
    assert fitted == preprocess.fit(tmp_path / "other", SCHEMA, days, 5.0)
    assert (fitted["abi"], fitted["clip"], list(fitted["session"])) == (SCHEMA.abi, 5.0, ["climate"])
    inside = values_T[20:70]
    assert list(fitted["session"]["climate"].values()) == pytest.approx([inside.mean(), inside.std()], rel=1e-12)
