"""Panel of a fold: its own split, normalised by its own training sessions; leakage is refused."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gogooku3.dataset.contents import CONTENTS, write_frame
from gogooku3.dataset.schema import GRAPH_COLUMNS, Column, Schema
from gogooku3.dataset.splits import as_json
from gogooku3.errors import DataError
from gogooku3.runtime.files import write_json
from gogooku3.walk_forward.panel import fold_panel, fold_preprocess
from gogooku3.walk_forward.plan import Fold

SCHEMA = Schema(
    (Column("climate", "climate", 1, "session", "", "float32"), Column("ret_1", "returns", 1, "stock", "", "float32")),
    (1, 5),
    2,
)
SESSIONS = np.array([date(2024, 1, 1) + timedelta(days=t) for t in range(90)], "datetime64[D]")
CLIMATE_T = (1 + 0.05 * np.arange(90) + np.random.default_rng(0).standard_normal(90)).astype(np.float32)
"""Rises, so that every training period has another mean."""
OF_DATASET = {"train": (0, 29), "validation": (35, 49), "test": (55, 89)}
FOLD = {"train": (40, 69), "validation": (75, 79), "test": (85, 89)}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A dataset of two stocks, whose own normalisation (mean 0, deviation 1) differs from that of every fold."""
    folder = tmp_path / "dataset"
    keys = {"Date": np.repeat(SESSIONS, 2), "Code": ["1301", "1302"] * 90}
    features = pl.DataFrame(keys | {"climate": np.repeat(CLIMATE_T, 2), "ret_1": np.ones(180, np.float32)})
    targets = pl.DataFrame(keys | {f"target_{h}": np.zeros(180, np.float32) for h in SCHEMA.horizons})
    frames = {"graph/2024-01.parquet": pl.DataFrame(schema=GRAPH_COLUMNS)}
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


def planned(tmp_path: Path, **spans: tuple[int, int]) -> Path:
    path = tmp_path / "7.json"
    write_json(Fold(7, FOLD | spans).as_json(SESSIONS), path)
    return path


def test_a_fold_is_normalised_by_its_own_training_sessions(dataset: Path, tmp_path: Path) -> None:
    """By the dataset's own training sessions, or by later ones, it would be look-ahead."""
    panel = fold_panel(planned(tmp_path), dataset)
    trained = CLIMATE_T[40:70].astype(np.float64)
    np.testing.assert_allclose(panel.x_TSF[:, 0, 0], (CLIMATE_T - trained.mean()) / trained.std(), rtol=1e-5, atol=1e-6)


def test_later_sessions_do_not_move_the_normalisation_of_a_fold(dataset: Path, tmp_path: Path) -> None:
    plan = planned(tmp_path)
    fitted = fold_preprocess(plan, dataset)
    for path in (dataset / "features").iterdir():
        later = pl.col("Date") > SESSIONS[69].item()
        pl.read_parquet(path).with_columns(
            pl.when(later).then(1e6).otherwise("climate").alias("climate")
        ).write_parquet(path)
    assert fold_preprocess(plan, dataset) == fitted
    assert (fitted["abi"], fitted["clip"]) == (SCHEMA.abi, 5.0)


def test_a_fold_has_the_split_of_its_plan(dataset: Path, tmp_path: Path) -> None:
    assert fold_panel(planned(tmp_path), dataset).split == FOLD


@pytest.mark.parametrize(
    ("spans", "text"),
    [
        ({"train": (40, 70)}, "targets of train over 5 sessions reach 1 sessions into the validation of fold 7"),
        ({"validation": (75, 80)}, "targets of validation over 5 sessions reach 1 sessions into the test of fold 7"),
    ],
)
def test_a_fold_with_targets_in_its_next_split_is_refused(
    dataset: Path, tmp_path: Path, spans: dict[str, tuple[int, int]], text: str
) -> None:
    with pytest.raises(DataError) as refusal:
        fold_panel(planned(tmp_path, **spans), dataset)
    assert text in refusal.value.message


def test_a_fold_without_a_plan_is_refused_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"fold `7` is not planned(?s:.*)`dvc repro plan@walk_forward`"):
        fold_panel(tmp_path / "7.json", tmp_path)
