"""Blocks cut from a panel: windows, edges of the history, graph neighbours of a drawn group."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from gogooku3.model.inputs import PanelOnDevice
from gogooku3.panel.panel import Panel


@pytest.fixture
def inputs(panel: Panel) -> PanelOnDevice:
    return PanelOnDevice(panel, 8, torch.device("cpu"))


def test_a_block_holds_its_sessions_and_the_window_before_them(panel: Panel, inputs: PanelOnDevice) -> None:
    stocks = np.array([2, 5])
    block = inputs.block(20, 3, stocks, with_neighbours=False)
    np.testing.assert_array_equal(block.x_ZSF.numpy(), panel.x_TSF[13:23][:, stocks])
    np.testing.assert_array_equal(block.y_DSP.numpy(), panel.y_TSH[20:23][:, stocks])


def test_sessions_outside_the_panel_are_missing(panel: Panel, inputs: PanelOnDevice) -> None:
    everyone = np.arange(len(panel.codes))
    start = inputs.block(0, 2, everyone, with_neighbours=False)
    assert start.x_ZSF[:7].isnan().all()
    np.testing.assert_array_equal(start.x_ZSF[7:].numpy(), panel.x_TSF[:2])
    end = inputs.block(58, 4, everyone, with_neighbours=False)
    assert end.x_ZSF[-2:].isnan().all()
    assert end.y_DSP[-2:].isnan().all()


def test_neighbours_join_a_drawn_group_as_inputs_without_targets(panel: Panel, inputs: PanelOnDevice) -> None:
    drawn = np.array([0, 6])
    block = inputs.block(20, 3, drawn, with_neighbours=True)
    members = [0, 6, 1, 2, 3, 7, 8, 9]
    np.testing.assert_array_equal(block.x_ZSF.numpy(), panel.x_TSF[13:23][:, members])
    assert block.y_DSP[:, :2].isfinite().all()
    assert block.y_DSP[:, 2:].isnan().all()
    assert [members[i] for i in block.neighbours_DSK[0, 0].tolist()] == [1, 2, 3]
    assert [members[i] for i in block.neighbours_DSK[0, 1].tolist()] == [7, 8, 9]


def test_a_neighbour_outside_the_group_is_marked_missing(inputs: PanelOnDevice) -> None:
    block = inputs.block(20, 1, np.array([0, 2]), with_neighbours=False)
    assert block.neighbours_DSK[0].tolist() == [[-1, 1, -1], [-1, -1, -1]]


def test_there_are_no_neighbours_before_the_first_graph(panel: Panel, inputs: PanelOnDevice) -> None:
    block = inputs.block(4, 2, np.arange(len(panel.codes)), with_neighbours=False)
    assert (block.neighbours_DSK[0] == -1).all()
    assert (block.neighbours_DSK[1] >= 0).all()


def test_without_any_graph_there_are_no_neighbours(panel: Panel) -> None:
    """As in a dataset that an earlier version built with too long a window."""
    bare = replace(
        panel,
        neighbours_GSK=panel.neighbours_GSK[:0],
        edges_GSKE=panel.edges_GSKE[:0],
        graph_of_T=np.full(len(panel.sessions), -1, np.int32),
    )
    block = PanelOnDevice(bare, 8, torch.device("cpu")).block(20, 3, np.array([2, 5]), with_neighbours=True)
    assert block.neighbours_DSK.shape == (3, 2, 3)
    assert (block.neighbours_DSK == -1).all()
    assert (block.edges_DSKE == 0).all()
    assert block.x_ZSF.shape[1] == 2
