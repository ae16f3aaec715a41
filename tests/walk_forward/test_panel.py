"""Panel of a fold: its own split, normalised by its own training sessions; leakage is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gogooku3.errors import DataError
from gogooku3.walk_forward.panel import fold_panel, fold_preprocess

from .dataset import CLIMATE_T, FOLD, SCHEMA, SESSIONS, planned


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
