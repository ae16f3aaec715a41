"""Permuted features move together to other stocks, in the same way in every block, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from gogooku3.attribution.perturb import PermutedFeatures, PermutedNeighbours, PerturbedPanel, without_neighbours
from gogooku3.dataset.schema import Schema
from gogooku3.model.inputs import Block, PanelOnDevice
from gogooku3.panel.panel import Panel

from .conftest import WINDOW

READ = range(19, 46)
FIRST, D = 26, 16


def permuted(known: Panel, schema: Schema, *places: int, name: str = "some") -> PermutedFeatures:
    return PermutedFeatures(known, [schema.features[place] for place in places], READ, WINDOW, 0, name)


def block(inputs: PanelOnDevice, first: int = FIRST) -> Block:
    return inputs.block(first, D, np.arange(len(inputs.panel.codes)), with_neighbours=False)


def test_values_of_a_family_go_together_to_other_stocks_of_their_session(inputs, known, schema):
    before = block(inputs).x_ZSF.clone()
    after = block(PerturbedPanel(inputs, permuted(known, schema, 1, 3))).x_ZSF
    assert torch.equal(block(inputs).x_ZSF.nan_to_num(9), before.nan_to_num(9))
    assert torch.equal(after[..., [0, 2, 4, 5]].nan_to_num(9), before[..., [0, 2, 4, 5]].nan_to_num(9))
    moved = 0
    for was_SF, is_SF in zip(before.nan_to_num(9), after.nan_to_num(9), strict=True):
        pairs_was, pairs_is = (sorted(map(tuple, x_SF[:, [1, 3]].tolist())) for x_SF in (was_SF, is_SF))
        assert pairs_was == pairs_is
        moved += int((was_SF[:, 1] != is_SF[:, 1]).sum())
    assert moved > 0.8 * before.shape[0] * before.shape[1]


def test_a_stock_without_a_bar_neither_gives_nor_takes(inputs, known, schema):
    assert not known.present_TS[5, 3]
    early = PermutedFeatures(known, schema.features[:5], range(16), WINDOW, 0, "some")
    x_ZSF = block(PerturbedPanel(inputs, early), 0).x_ZSF[WINDOW - 1 :]
    assert torch.equal(x_ZSF[:, :, :5].isnan().all(-1), torch.from_numpy(~known.present_TS[:D]))


def test_a_session_is_altered_in_the_same_way_in_every_block_and_otherwise_by_another_name(inputs, known, schema):
    altered = PerturbedPanel(inputs, permuted(known, schema, 0, 5))
    early, late = block(altered).x_ZSF, block(altered, FIRST + 4).x_ZSF
    assert torch.equal(early[4:].nan_to_num(9), late[:-4].nan_to_num(9))
    other = block(PerturbedPanel(inputs, permuted(known, schema, 0, 5, name="else"))).x_ZSF
    assert not torch.equal(early.nan_to_num(9), other.nan_to_num(9))


def test_what_all_stocks_of_a_session_share_goes_to_another_session(inputs, known, schema):
    before, after = block(inputs).x_ZSF, block(PerturbedPanel(inputs, permuted(known, schema, 5))).x_ZSF
    assert torch.equal(after[..., :5].nan_to_num(9), before[..., :5].nan_to_num(9))
    level_Z = after[..., 5]
    assert torch.equal(level_Z, level_Z[:, :1].expand_as(level_Z))
    read = torch.from_numpy(known.x_TSF[READ, 0, 5])
    assert torch.isin(level_Z[: 45 - FIRST + WINDOW], read).all()
    assert (level_Z[:, 0] != before[:, 0, 5]).sum() > 15


def test_sessions_that_are_not_read_keep_what_their_stocks_share(inputs, known, schema):
    before, after = block(inputs, 0).x_ZSF, block(PerturbedPanel(inputs, permuted(known, schema, 5)), 0).x_ZSF
    assert torch.equal(after[: 19 + WINDOW - 1].nan_to_num(9), before[: 19 + WINDOW - 1].nan_to_num(9))


def test_neighbours_go_with_their_edges_to_another_stock(inputs, known):
    own_SKE = np.arange(12 * 3 * 3, dtype=np.float32).reshape(12, 3, 3)
    inputs_with_edges = PanelOnDevice(replace(known, edges_GSKE=own_SKE[None]), WINDOW, inputs.device)
    before, after = block(inputs_with_edges), block(PerturbedPanel(inputs_with_edges, PermutedNeighbours(known, 0)))
    assert torch.equal(after.x_ZSF.nan_to_num(9), before.x_ZSF.nan_to_num(9))
    whole = torch.cat([before.neighbours_DSK, before.edges_DSKE.flatten(2)], dim=-1)
    moved = torch.cat([after.neighbours_DSK, after.edges_DSKE.flatten(2)], dim=-1)
    assert all(sorted(x.tolist()) == sorted(y.tolist()) for x, y in zip(whole, moved, strict=True))
    assert (whole != moved).any(-1).float().mean() > 0.8


@pytest.mark.parametrize("way", [without_neighbours, "permuted"])
def test_before_the_first_graph_no_stock_gets_neighbours(inputs, known, way):
    alter = PermutedNeighbours(known, 0) if way == "permuted" else way
    altered = block(PerturbedPanel(inputs, alter), 0)
    assert (altered.neighbours_DSK[:5] == -1).all()
    assert (altered.neighbours_DSK[5:] == -1).all() == (way != "permuted")
