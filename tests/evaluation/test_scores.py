"""Scores of a model and its members come back from their file as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from gogooku3.evaluation.scores import OF_MEMBERS, Scores, from_frame
from gogooku3.panel.panel import Panel
from gogooku3.panel.table import to_frame
from gogooku3.runtime.files import write_parquet


def test_the_scores_of_a_model_and_its_members_come_back(panel: Panel, tmp_path: Path) -> None:
    first = 20
    present_TS1 = panel.present_TS[first:, :, None]
    shape = (3, *present_TS1.shape[:2], len(panel.horizons))
    drawn = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    model, one, other = np.where(present_TS1, drawn, np.float32(np.nan))
    frame = Scores(model, {5: one, 12: other}).frame(panel, first)
    assert frame.select(pl.exclude(OF_MEMBERS)).equals(to_frame(panel, model, first))
    write_parquet(frame, tmp_path / "scores.parquet")
    found = from_frame(panel, pl.read_parquet(tmp_path / "scores.parquet")).rows(slice(first, None))
    assert list(found.members) == [5, 12]
    for came_back, expected in ((found.model_TSH, model), (found.members[5], one), (found.members[12], other)):
        assert came_back.dtype == np.float32
        np.testing.assert_array_equal(came_back, expected)
    assert from_frame(panel, to_frame(panel, model, first)).members == {}
