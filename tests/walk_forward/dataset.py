"""A small dataset on disk, with one feature of the session and one of the stock, and the plan of a fold on it."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from gogooku3.dataset.contents import CONTENTS, write_frame
from gogooku3.dataset.schema import GRAPH_COLUMNS, Column, Schema
from gogooku3.dataset.splits import as_json
from gogooku3.runtime.files import write_json
from gogooku3.walk_forward.plan import Fold

SCHEMA = Schema(
    (Column("climate", "climate", 1, "session", "", "float32"), Column("ret_1", "returns", 1, "stock", "", "float32")),
    (1, 5),
    2,
)
SESSIONS = np.array([date(2024, 1, 1) + timedelta(days=t) for t in range(90)], "datetime64[D]")
CLIMATE_T = (1 + 0.05 * np.arange(90) + np.random.default_rng(0).standard_normal(90)).astype(np.float32)
"""Rises, so that every training period has another mean."""
RETURNS_TS = (0.01 * np.random.default_rng(1).standard_normal((90, 2))).astype(np.float32)
OF_DATASET = {"train": (0, 29), "validation": (35, 49), "test": (55, 89)}
FOLD = {"train": (40, 69), "validation": (75, 79), "test": (85, 89)}


def write_dataset(folder: Path) -> Path:
    """A dataset of two stocks, whose own normalisation (mean 0, deviation 1) differs from that of every fold."""
    keys = {"Date": np.repeat(SESSIONS, 2), "Code": ["1301", "1302"] * 90}
    features = pl.DataFrame(keys | {"climate": np.repeat(CLIMATE_T, 2), "ret_1": np.ones(180, np.float32)})
    targets = pl.DataFrame(keys | {f"target_{h}": RETURNS_TS.ravel() for h in SCHEMA.horizons})
    edges = [(SESSIONS[20].item(), *pair, 0.5, True, True) for pair in (("1301", 1, "1302"), ("1302", 1, "1301"))]
    frames = {"graph/2024-01.parquet": pl.DataFrame(edges, schema=GRAPH_COLUMNS, orient="row")}
    for month in ("2024-01", "2024-02", "2024-03"):
        inside = pl.col("Date").dt.to_string("%Y-%m") == month
        frames |= {
            f"features/{month}.parquet": features.filter(inside),
            f"targets/{month}.parquet": targets.filter(inside),
        }
    write_json({name: write_frame(frame, folder / name) for name, frame in frames.items()}, folder / CONTENTS)
    write_json(SCHEMA.as_json(), folder / "schema.json")
    own = {"abi": SCHEMA.abi, "clip": 5.0, "session": {"climate": {"mean": 0.0, "std": 1.0}}}
    write_json(own, folder / "preprocess.json")
    write_json(as_json(OF_DATASET, SESSIONS, 5), folder / "split.json")
    return folder


def planned(folder: Path, **spans: tuple[int, int]) -> Path:
    """Writes the plan of fold 7."""
    path = folder / "7.json"
    write_json(Fold(7, FOLD | spans).as_json(SESSIONS), path)
    return path
