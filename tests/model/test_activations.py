"""ELU, GLU and sigmoid against torch's own and against float64."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from gogooku3.model.activations import elu, elu_backward, glu, glu_backward, sigmoid

PAIRS = [(elu, F.elu), (glu, F.glu), (sigmoid, torch.sigmoid)]


def values(dtype: torch.dtype) -> Tensor:
    """Numbers of all magnitudes and both signs, and special floats."""
    large = torch.tensor([-1e30, -200.0, -88.8, -0.0, 0.0, 1e-30, 88.8, 200.0])
    return torch.cat([torch.linspace(-30, 30, 1000), large]).to(dtype).view(2, -1)


@pytest.mark.parametrize(("ours", "torchs"), PAIRS)
def test_values_and_gradients_are_those_of_torch(
    ours: Callable[[Tensor], Tensor], torchs: Callable[[Tensor], Tensor]
) -> None:
    x = values(torch.float64).requires_grad_()
    found, expected = ours(x), torchs(x)
    torch.testing.assert_close(found, expected, rtol=1e-14, atol=1e-300)
    if ours is sigmoid:  # used in a backward pass, not differentiated itself
        return
    upstream = torch.linspace(-1, 2, found.numel(), dtype=torch.float64).view(found.shape)
    torch.testing.assert_close(
        torch.autograd.grad(found, x, upstream), torch.autograd.grad(expected, x, upstream), rtol=1e-13, atol=1e-15
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("ours", "torchs"), PAIRS)
def test_narrow_types_are_exact_to_their_last_bits(
    ours: Callable[[Tensor], Tensor], torchs: Callable[[Tensor], Tensor], dtype: torch.dtype
) -> None:
    x = values(dtype)
    found = ours(x)
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), torchs(x.double()), rtol=3 * torch.finfo(dtype).eps, atol=1e-30)


def test_gradients_equal_those_of_autograd() -> None:
    x = values(torch.float64).requires_grad_()
    upstream = torch.linspace(-1, 2, x.numel(), dtype=torch.float64).view(x.shape)
    (expected,) = torch.autograd.grad(elu(x), x, upstream)
    assert torch.equal(elu_backward(upstream, elu(x).detach()), expected)
    half = upstream[:, ::2]
    (expected,) = torch.autograd.grad(glu(x), x, half)
    signal, gate = x.detach().chunk(2, dim=-1)
    assert torch.equal(glu_backward(half, signal, sigmoid(gate)), expected)


@pytest.mark.parametrize(("ours", "torchs"), PAIRS)
def test_nan_propagates(ours: Callable[[Tensor], Tensor], torchs: Callable[[Tensor], Tensor]) -> None:
    x = torch.tensor([[torch.nan, 1.0, torch.inf, -torch.inf, 2.0, 3.0, torch.nan, -1.0]])
    assert torch.equal(ours(x).isnan(), torchs(x).isnan())
