"""Weights are those that the network used, of the right sessions, lags and edges."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
import torch

from gogooku3.attribution.attention import KINDS, attention_weights

from .conftest import WINDOW


@pytest.fixture
def weighed(network, inputs):
    return attention_weights(network("finetune", opened=True), inputs, 20, 59)


def test_weights_are_shares(weighed):
    assert weighed.selection_TF.shape == (40, 6)
    for shares in (weighed.selection_TF, weighed.attention_TL, weighed.neighbours_TK):
        assert (shares > 0).all()
        np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(weighed.kinds_TC.sum(axis=1), weighed.neighbours_TK[:, :-1].sum(axis=1), rtol=1e-12)


def test_selection_is_the_mean_over_the_stocks_that_have_a_bar(network, inputs, known):
    made = network("finetune")
    found = attention_weights(made, inputs, 5, 12).selection_TF
    with torch.no_grad():
        for row, session in zip(found, range(5, 13), strict=True):
            x_SF = torch.from_numpy(known.x_TSF[session][known.present_TS[session]])
            np.testing.assert_allclose(row, made.selection(x_SF)[1].mean(0).numpy(), rtol=1e-5)


def test_lag_zero_is_the_scored_session(network, inputs):
    made = network("baseline")
    seen: list[torch.Tensor] = []
    handle = made.temporal.attention.register_forward_hook(lambda _module, _given, output: seen.append(output[1]))
    found = attention_weights(made, inputs, 32, 47)
    handle.remove()
    assert len(seen) == 1
    window_DSL = seen[0].unflatten(0, (16, 12)).double().numpy()
    np.testing.assert_allclose(found.attention_TL, window_DSL.mean(axis=1)[:, ::-1], rtol=1e-12)
    assert found.attention_TL.shape == (16, WINDOW)


def test_edges_are_counted_by_what_the_stocks_share(weighed):
    both, sector, neither = (KINDS.index(kind) for kind in ("same sector and segment", "same sector", "neither"))
    assert (weighed.edges_TC[:, [both, sector, neither]] == 1).all()
    assert (weighed.edges_TC[:, KINDS.index("same segment")] == 0).all()
    np.testing.assert_allclose(weighed.kinds_TC[:, [both, sector, neither]], weighed.neighbours_TK[:, :3], rtol=1e-12)


def test_without_a_graph_a_stock_keeps_all_to_itself(network, inputs):
    weighed = attention_weights(network("finetune", opened=True), inputs, 0, 4)
    assert (weighed.neighbours_TK == [0, 0, 0, 1]).all()
    assert (weighed.edges_TC == 0).all()
    assert attention_weights(network("baseline"), inputs, 0, 4).neighbours_TK.shape == (5, 0)


def test_a_range_is_a_part_of_a_longer_one(network, inputs, weighed):
    part = attention_weights(network("finetune", opened=True), inputs, 30, 35)
    for field in fields(part):
        assert np.array_equal(getattr(part, field.name), getattr(weighed, field.name)[10:16])
