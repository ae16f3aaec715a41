"""Joined tests: each session is scored by the model of its own fold, none twice, and gaps are listed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gogooku3.errors import DataError
from gogooku3.metrics.ranking import rank_ic
from gogooku3.walk_forward.joined.series import gaps, join
from gogooku3.walk_forward.plan import Fold

from ..conftest import FOLDS, Market


def test_each_session_has_the_scores_of_the_fold_that_tests_it(market: Market, tmp_path: Path) -> None:
    one, two = FOLDS
    other = replace(market, scores={name: -scores for name, scores in market.scores.items()})
    folders = market.write(tmp_path, [one])
    other.write(tmp_path, [two])  # its validation sessions are test sessions of fold 1
    series = join(market.panel, FOLDS, *folders)
    assert series.rows == slice(65, 125)
    for name, scores_TSH in {"model": series.scores_TSH, **series.baselines}.items():
        np.testing.assert_array_equal(scores_TSH[:30], market.scores[name][65:95])
        np.testing.assert_array_equal(scores_TSH[30:], -market.scores[name][95:125])
    np.testing.assert_allclose(
        series.validation_rank_ic[2],
        [np.nanmean(rank_ic(-market.scores["model"][75:90, :, h], market.panel.y_TSH[75:90, :, h])) for h in (0, 1)],
    )


def test_sessions_that_no_fold_tests_are_nan_and_listed_as_gaps(market: Market, tmp_path: Path) -> None:
    later = Fold(3, {"train": (35, 74), "validation": (80, 94), "test": (100, 129)})
    folds = [FOLDS[0], later]
    series = join(market.panel, folds, *market.write(tmp_path, folds))
    assert np.isnan(series.scores_TSH[30:35]).all()
    assert np.isfinite(series.scores_TSH[35:]).any(axis=(1, 2)).all()
    days = market.panel.sessions
    assert gaps(folds, days) == [{"from": str(days[95]), "to": str(days[99]), "sessions": 5}]
    assert gaps(FOLDS, days) == []
    one_session = Fold(3, later.spans | {"test": (96, 129)})
    assert gaps([FOLDS[0], one_session], days) == [{"from": str(days[95]), "to": str(days[95]), "sessions": 1}]


@pytest.mark.parametrize("kind", ["scores", "baselines"])
def test_a_missing_fold_is_named_with_its_command(market: Market, tmp_path: Path, kind: str) -> None:
    folders = market.write(tmp_path, FOLDS)
    (tmp_path / kind / "2.parquet").unlink()
    with pytest.raises(DataError) as refusal:
        join(market.panel, FOLDS, *folders)
    assert f"{kind}/2.parquet` does not exist" in str(refusal.value)
    assert "`dvc repro fold@2 fold_baselines@2`" in refusal.value.hint


def test_only_sessions_of_the_test_are_taken(market: Market, tmp_path: Path) -> None:
    """Scores that a fold has for other sessions change nothing."""
    folders = market.write(tmp_path, FOLDS)
    before = join(market.panel, FOLDS, *folders)
    path = folders[0] / "1.parquet"
    frame = pl.read_parquet(path)
    embargo = pl.col("Date").is_between(*market.panel.sessions[[60, 64]].tolist())
    frame.with_columns(pl.when(embargo).then(9.0).otherwise(pl.col("score_5")).alias("score_5")).write_parquet(path)
    np.testing.assert_array_equal(join(market.panel, FOLDS, *folders).scores_TSH, before.scores_TSH)
