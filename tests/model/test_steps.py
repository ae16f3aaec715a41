"""The training benchmark: its loop over features equals our network, and it counts our network's operations."""

from __future__ import annotations

import pytest
import torch
from steps import feature_loop, operations
from steps.ours import batch_of, network_of
from steps.shape import Shape
from torch.utils.flop_counter import FlopCounterMode

SHAPE = Shape(features=5, window=20, sessions=3, stocks=4, hidden=16, heads=2, piece=4, threads=2, product=8)


@pytest.mark.parametrize("phase", ["baseline", "gat"])
def test_the_loop_over_features_has_our_scores(phase: str) -> None:
    assert feature_loop.difference(network_of(SHAPE, phase), batch_of(SHAPE)) < feature_loop.TOLERANCE


def test_a_loop_with_other_scores_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    other = network_of(SHAPE, "baseline")
    torch.nn.init.zeros_(other.selection.networks.gate_bias_FG)
    monkeypatch.setattr(feature_loop, "looped", lambda _: other)
    with pytest.raises(SystemExit, match="differ by"):
        feature_loop.difference(network_of(SHAPE, "baseline"), batch_of(SHAPE))


def test_the_operations_behind_the_selection_are_those_that_torch_counts() -> None:
    network, batch = network_of(SHAPE, "baseline"), batch_of(SHAPE)
    network.selection.forward = lambda x_MF: (torch.ones(len(x_MF), SHAPE.hidden, requires_grad=True), x_MF)
    with FlopCounterMode(display=False) as counter:
        network(*batch).square().mean().backward()
    expected = operations.step(SHAPE) - operations.selection(SHAPE)
    assert counter.get_total_flops() == pytest.approx(expected, rel=0.02)
