"""The LSTM against torch's: the same weights, values and gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gogooku3.model.lstm import Lstm

SHAPES = [(1, 1, 1), (7, 5, 3), (33, 16, 8), (5, 60, 64)]
"""Windows, sessions, hidden size."""


def pair(size: int) -> tuple[Lstm, nn.LSTM]:
    """Our LSTM and torch's, from the same seed."""
    made: list[nn.LSTM] = []
    for make in (lambda: Lstm(size), lambda: nn.LSTM(size, size, batch_first=True)):
        torch.manual_seed(3)
        made.append(make())
    ours, torchs = made
    assert isinstance(ours, Lstm)
    return ours, torchs


def gradients(states: Tensor, upstream: Tensor, *of: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(states, of, upstream)


def test_names_and_first_values_of_the_weights_are_those_of_torch() -> None:
    ours, torchs = pair(8)
    assert list(ours.state_dict()) == list(torchs.state_dict())
    assert all(torch.equal(one, other) for one, other in zip(ours.parameters(), torchs.parameters(), strict=True))


@pytest.mark.parametrize(("windows", "sessions", "size"), SHAPES)
def test_states_and_gradients_are_those_of_torch(windows: int, sessions: int, size: int) -> None:
    ours, torchs = (each.double() for each in pair(size))
    z, upstream = torch.randn(2, windows, sessions, size, dtype=torch.float64).unbind()
    z.requires_grad_()
    found, expected = ours(z), torchs(z)[0]
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)
    for one, other in zip(
        gradients(found, upstream, z, *ours.parameters()),
        gradients(expected, upstream, z, *torchs.parameters()),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


def test_states_without_a_gradient_are_the_same_bits() -> None:
    ours, _ = pair(8)
    z = torch.randn(33, 16, 8)
    with torch.no_grad():
        alone = ours(z)
    assert torch.equal(alone, ours(z))


def test_states_are_float32_where_products_are_bfloat16() -> None:
    ours, _ = pair(16)
    z = torch.randn(9, 12, 16)
    full = ours(z)
    with torch.autocast("cpu", torch.bfloat16):
        half = ours(z)
    assert half.dtype == torch.float32
    assert not torch.equal(half, full)
    assert float((half - full).detach().norm() / full.detach().norm()) < 0.02
    half.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.dtype == torch.float32 for parameter in ours.parameters())
