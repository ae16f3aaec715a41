"""The fused feature networks against a plain loop that autograd differentiates."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from gogooku3.model.feature_networks import FeatureNetworks

SHAPES = [(7, 30, 16), (5, 1500, 64)]
"""Features, rows, hidden size: one tile, and several in both directions."""


def one_by_one(networks: FeatureNetworks, input_FM3: Tensor, weight_FM: Tensor) -> Tensor:
    """A gated residual network per feature, one after the other: embed, hidden, ELU, GLU, residual, norm."""
    selected = torch.zeros(())
    for f, (input_M3, weight_M) in enumerate(zip(input_FM3, weight_FM, strict=True)):
        embedded = input_M3 @ networks.embedding_F3H[f]
        hidden = F.elu(embedded @ networks.hidden_FHH[f] + networks.hidden_bias_FH[f])
        gated = F.glu(hidden @ networks.gate_FHG[f] + networks.gate_bias_FG[f], dim=-1)
        selected = selected + weight_M.unsqueeze(-1) * F.layer_norm(embedded + gated, embedded.shape[-1:])
    return selected


def inputs(features: int, rows: int) -> tuple[Tensor, Tensor, Tensor]:
    """Values, the networks' inputs with a fifth of them missing, and weights."""
    value_FM = torch.randn(features, rows).double().requires_grad_()
    observed_FM = (torch.rand(features, rows) > 0.2).double()
    input_FM3 = torch.stack([value_FM * observed_FM, observed_FM, 1 - observed_FM], dim=-1)
    return value_FM, input_FM3, torch.rand(features, rows).double().softmax(0).requires_grad_()


def gradients(function: Callable[[], Tensor], upstream: Tensor, *of: Tensor) -> tuple[Tensor, ...]:
    """The function's value, and the gradient of each tensor."""
    value = function()
    return value.detach(), *torch.autograd.grad(value, of, upstream.to(value.dtype), retain_graph=True)


@pytest.mark.parametrize(("features", "rows", "size"), SHAPES)
def test_value_and_every_gradient_are_those_of_one_feature_after_the_other(features: int, rows: int, size: int) -> None:
    networks, (value_FM, input_FM3, weight_FM) = FeatureNetworks(features, size).double(), inputs(features, rows)
    of, upstream = (value_FM, weight_FM, *networks.parameters()), torch.randn(rows, size)
    found = gradients(lambda: networks(input_FM3, weight_FM), upstream, *of)
    expected = gradients(lambda: one_by_one(networks, input_FM3, weight_FM), upstream, *of)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_are_as_precise_as_the_products(dtype: torch.dtype) -> None:
    features, rows, size = SHAPES[1]
    networks, (_, input_FM3, weight_FM) = FeatureNetworks(features, size), inputs(features, rows)
    upstream = torch.randn(rows, size)
    exact = networks.double()
    expected = gradients(lambda: exact(input_FM3, weight_FM), upstream, weight_FM, *exact.parameters())
    networks.float()
    narrow_FM3, narrow_FM = input_FM3.detach().float(), weight_FM.detach().float().requires_grad_()
    with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        value = networks(narrow_FM3, narrow_FM)
    found = value.detach(), *torch.autograd.grad(value, (narrow_FM, *networks.parameters()), upstream)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == torch.float32
        assert float((one - other).norm() / other.norm()) < 8 * torch.finfo(dtype).eps


def test_nothing_of_the_size_of_all_vectors_is_kept() -> None:
    features, rows, size = SHAPES[1]
    networks, kept = FeatureNetworks(features, size).double(), 0

    def count(tensor: Tensor) -> Tensor:
        nonlocal kept
        kept += tensor.numel()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        networks(*inputs(features, rows)[1:])
    assert kept < features * rows * size / 2


def test_a_row_does_not_depend_on_other_tiles() -> None:
    features, rows, size = SHAPES[1]
    networks, (_, input_FM3, weight_FM) = FeatureNetworks(features, size), inputs(features, rows)
    input_FM3, weight_FM = input_FM3.detach().float(), weight_FM.detach().float()
    altered_FM3 = input_FM3.clone()
    altered_FM3[:, -1] += 1
    before, after = networks(input_FM3, weight_FM), networks(altered_FM3, weight_FM)
    assert torch.equal(before[:-1], after[:-1])
    assert not torch.equal(before[-1], after[-1])
