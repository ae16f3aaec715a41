"""Scores are bitwise the same for any requested range, and NaN where there is no bar."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
import torch

from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.network import Network
from gogooku3.model.scoring import score
from gogooku3.panel.panel import Panel
from gogooku3.panel.table import to_arrays, to_frame


@pytest.fixture
def inputs(panel: Panel) -> PanelOnDevice:
    return PanelOnDevice(panel, 8, torch.device("cpu"))


def test_a_session_scores_the_same_alone_and_among_others(
    inputs: PanelOnDevice, network: Callable[..., Network]
) -> None:
    made = network("finetune", opened=True)
    everything = score(made, inputs, 0, 59)
    for first, last in [(0, 0), (17, 17), (15, 33), (59, 59)]:
        np.testing.assert_array_equal(score(made, inputs, first, last), everything[first : last + 1])


def test_a_stock_without_a_bar_has_no_score(
    panel: Panel, inputs: PanelOnDevice, network: Callable[..., Network]
) -> None:
    scores_TSP = score(network("baseline"), inputs, 0, 59)
    np.testing.assert_array_equal(np.isfinite(scores_TSP).all(-1), panel.present_TS)


def test_scoring_draws_no_dropout_and_leaves_training_on(
    inputs: PanelOnDevice, network: Callable[..., Network]
) -> None:
    made = network("baseline").train()
    np.testing.assert_array_equal(score(made, inputs, 20, 30), score(made, inputs, 20, 30))
    assert made.training


def test_a_table_of_scores_has_one_row_per_bar_and_leads_back(panel: Panel) -> None:
    scores_TSP = np.where(panel.present_TS[:20, :, None], np.random.default_rng(0).random((20, 12, 2)), np.nan)
    frame = to_frame(panel, scores_TSP.astype(np.float32), first=0)
    assert frame.columns == ["Date", "Code", "score_1", "score_5"]
    assert len(frame) == panel.present_TS[:20].sum()
    assert frame.equals(frame.sort("Date", "Code"))
    back = to_arrays(panel, frame, ["score_1", "score_5"])
    np.testing.assert_array_equal(back[:20], scores_TSP.astype(np.float32))
    assert np.isnan(back[20:]).all()


def test_rows_of_unknown_stocks_and_days_are_left_out(panel: Panel) -> None:
    dates = np.array([panel.sessions[0], np.datetime64("1999-01-01")])
    frame = pl.DataFrame({"Date": dates, "Code": ["9999", "1300"], "v": [1.0, 2.0]})
    assert np.isnan(to_arrays(panel, frame, ["v"])).all()
