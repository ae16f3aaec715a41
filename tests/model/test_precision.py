"""Mixed precision: close to float32, deterministic, and float32 in the layers that need it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from gogooku3.config import Params
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.network import Network
from gogooku3.model.scoring import score
from gogooku3.panel.panel import Panel

CPU = torch.device("cpu")


@pytest.fixture
def inputs(panel: Panel) -> PanelOnDevice:
    return PanelOnDevice(panel, 8, CPU)


@pytest.fixture
def pair(network: Callable[..., Network], demo: Params) -> tuple[Network, Network]:
    """Networks with the same weights in float32 and in bfloat16. A CPU has no TF32."""
    numerics = replace(demo.numerics, precision="bf16")
    return network("finetune", opened=True), network("finetune", opened=True).to_device(CPU, numerics)


def test_scores_are_float32_and_near_those_of_float32(pair: tuple[Network, Network], inputs: PanelOnDevice) -> None:
    full, half = (score(each, inputs, 10, 40) for each in pair)
    assert half.dtype == np.float32
    observed = np.isfinite(full)
    assert (np.isfinite(half) == observed).all()
    assert not np.array_equal(half[observed], full[observed])
    # If two Fourier components are about equally strong, rounding may change the dominant one.
    assert np.std(half[observed] - full[observed]) < 0.05 * np.std(full[observed])
    # In bfloat16 many scores would be equal (ties).
    assert len(np.unique(half[observed])) > 0.9 * observed.sum()


def test_scores_are_repeatable_and_the_same_whichever_sessions_are_asked_for(
    pair: tuple[Network, Network], inputs: PanelOnDevice
) -> None:
    half = pair[1]
    everything = score(half, inputs, 0, 59)
    for first, last in ((0, 59), (17, 17), (20, 47)):
        np.testing.assert_array_equal(score(half, inputs, first, last), everything[first : last + 1])


def test_weights_and_their_gradients_are_float32(pair: tuple[Network, Network], inputs: PanelOnDevice) -> None:
    half = pair[1].train()
    block = inputs.block(20, 4, np.arange(12), with_neighbours=True)
    half(block.x_ZSF, block.neighbours_DSK, block.edges_DSKE).square().mean().backward()
    for name, parameter in half.named_parameters():
        assert parameter.dtype == torch.float32
        assert parameter.grad is not None, name
        assert parameter.grad.dtype == torch.float32


def test_selection_weights_are_a_softmax_in_float32(pair: tuple[Network, Network]) -> None:
    x_MF = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        weight_MF = pair[1].selection(x_MF)[1]
    assert weight_MF.dtype == torch.float32
    torch.testing.assert_close(weight_MF.sum(1), torch.ones(50), rtol=0, atol=1e-6)


def test_adaptive_normalisation_is_float32_within_bfloat16(pair: tuple[Network, Network]) -> None:
    norm = pair[1].adaptive_norm
    assert norm is not None
    z_NHL = torch.randn(20, 8, 8, generator=torch.Generator().manual_seed(0)).bfloat16()
    alone = norm.normalise(z_NHL.float())[0]
    with torch.autocast("cpu", torch.bfloat16):
        within = norm.normalise(z_NHL)[0]
    assert torch.equal(within, alone)
