"""One gated residual network per feature, evaluated in one fused operation, and the weighted sum of their outputs.

The output vectors of all features, [F, M, H], take half a gigabyte for a batch of tier 1, and autograd would keep
several such tensors. They are never materialised: tiles of a few features and rows, small enough for the CPU cache, are
computed and summed one by one, and recomputed in the backward pass (activation checkpointing). On CUDA a tile is a
Triton kernel's, if Triton is installed (`gogooku3.model.fused_selection`); elsewhere it is torch's, as here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from gogooku3.model import fused_selection
from gogooku3.model.activations import elu, elu_backward, glu_backward, sigmoid

_TILE_ROWS = 1024
"""Rows (stock, session) per tile."""
_TILE_ELEMENTS = {"cpu": 1 << 18, "cuda": 1 << 26}
"""Elements of a tile's [F, M, H]: several such tensors fit into a CPU cache, or one keeps a GPU busy."""


class FeatureNetworks(nn.Module):
    """One gated residual network per feature, from its value to a vector of size H.

    The embedding of a value is affine in it, so the next layer, before its ELU, is affine too. Both weight matrices
    are multiplied beforehand for the three inputs (value, observed, missing): per value there remain one batched matrix
    product for both layers and one for the gate.
    """

    def __init__(self, features: int, size: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(size)

        def uniform(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(shape).uniform_(-bound, bound))

        self.embedding_F3H = uniform(features, 3, size)
        """Slope for an observed value, its offset, and the learned vector of a missing value."""
        self.hidden_FHH = uniform(features, size, size)
        self.hidden_bias_FH = uniform(features, size)
        self.gate_FHG = uniform(features, size, 2 * size)
        self.gate_bias_FG = uniform(features, 2 * size)

    def forward(self, input_FM3: Tensor, weight_FM: Tensor) -> Tensor:
        """Weighted sum over the features of their vectors, which are standardised over H.

        Shapes: (value or 0, observed, missing) [F, M, 3], weights [F, M] → [M, H].
        """
        # (0, 1, 1), made on the device: a copy from the host would wait for it.
        has_bias_3 = torch.arange(3, device=self.hidden_bias_FH.device).clamp(max=1).to(self.hidden_bias_FH.dtype)
        bias_F3H = self.hidden_bias_FH.unsqueeze(1) * has_bias_3.unsqueeze(1)
        hidden_F3H = torch.baddbmm(bias_F3H, self.embedding_F3H, self.hidden_FHH)
        fused = fused_selection.usable(weight_FM, hidden_F3H)
        weighted_sum = fused_selection.WeightedSum if fused else _WeightedSum
        selected_MH: Tensor = weighted_sum.apply(
            input_FM3, weight_FM, hidden_F3H, self.embedding_F3H, self.gate_FHG, self.gate_bias_FG.unsqueeze(1)
        )
        return selected_MH


class _Tile(NamedTuple):
    """Intermediates of a tile's forward pass that its backward pass needs."""

    hidden_FMH: Tensor
    signal_FMH: Tensor
    share_FMH: Tensor
    """The gate's sigmoid."""
    centred_FMH: Tensor
    """Vectors minus their mean."""
    scale_FM1: Tensor
    """Inverse of their standard deviation."""


def _tile(x_FM3: Tensor, hidden_F3H: Tensor, embedding_F3H: Tensor, gate_FHG: Tensor, bias_F1G: Tensor) -> _Tile:
    hidden_FMH = elu(torch.bmm(x_FM3, hidden_F3H))
    signal_FMH, gate_FMH = torch.baddbmm(bias_F1G, hidden_FMH, gate_FHG).chunk(2, dim=-1)
    share_FMH = sigmoid(gate_FMH)
    vector_FMH = (signal_FMH * share_FMH).baddbmm_(x_FM3, embedding_F3H)
    centred_FMH = vector_FMH.to(torch.promote_types(vector_FMH.dtype, torch.float32))
    centred_FMH -= centred_FMH.mean(-1, keepdim=True)
    scale_FM1 = (centred_FMH.square().mean(-1, keepdim=True) + fused_selection.EPSILON).rsqrt()
    return _Tile(hidden_FMH, signal_FMH, share_FMH, centred_FMH, scale_FM1)


class _WeightedSum(torch.autograd.Function):
    """The computation from the pre-multiplied weights on, in their precision; sums over tiles are float32."""

    @staticmethod
    def forward(ctx: Any, input_FM3: Tensor, weight_FM: Tensor, *weights: Tensor) -> Tensor:
        ctx.save_for_backward(input_FM3, weight_FM, *weights)
        size = weights[0].shape[-1]
        selected_MH = weight_FM.new_zeros(weight_FM.shape[1], size)
        for f, m in _tiles(weight_FM, size):
            *_, centred_FMH, scale_FM1 = _tile(*_part(input_FM3, weights, f, m))
            selected_MH[m] += centred_FMH.mul_(weight_FM[f, m].unsqueeze(-1) * scale_FM1).sum(0)
        return selected_MH

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_selected_MH: Tensor) -> tuple[Tensor | None, ...]:
        input_FM3, weight_FM, *weights = ctx.saved_tensors
        size = d_selected_MH.shape[-1]
        d_input_FM3 = torch.zeros_like(input_FM3) if ctx.needs_input_grad[0] else None
        d_weight_FM = torch.empty_like(weight_FM)
        d_hidden_F3H, d_embedding_F3H, d_gate_FHG, d_bias_F1G = (
            torch.zeros_like(each, dtype=weight_FM.dtype) for each in weights
        )
        # Standardisation removes the gradient's components along the constant vector and along the vector itself.
        d_centred_MH = d_selected_MH - d_selected_MH.mean(-1, keepdim=True)
        for f, m in _tiles(weight_FM, size):
            x_FM3, hidden_F3H, embedding_F3H, gate_FHG, _ = part = _part(input_FM3, weights, f, m)
            hidden_FMH, signal_FMH, share_FMH, centred_FMH, scale_FM1 = _tile(*part)
            along_FM1 = (centred_FMH * d_centred_MH[m]).sum(-1, keepdim=True) * scale_FM1
            d_weight_FM[f, m] = along_FM1.squeeze(-1)
            d_vector_FMH = torch.addcmul(d_centred_MH[m], centred_FMH, along_FM1 * scale_FM1, value=-1 / size)
            d_vector_FMH = d_vector_FMH.mul_(weight_FM[f, m].unsqueeze(-1) * scale_FM1).to(x_FM3.dtype)
            d_gate_FMG = glu_backward(d_vector_FMH, signal_FMH, share_FMH)
            d_elu_FMH = torch.bmm(d_gate_FMG, gate_FHG.mT)
            d_hidden_FMH = elu_backward(d_elu_FMH, hidden_FMH)
            d_hidden_F3H[f] += torch.bmm(x_FM3.mT, d_hidden_FMH)
            d_embedding_F3H[f] += torch.bmm(x_FM3.mT, d_vector_FMH)
            d_gate_FHG[f] += torch.bmm(hidden_FMH.mT, d_gate_FMG)
            d_bias_F1G[f] += d_gate_FMG.sum(1, keepdim=True)
            if d_input_FM3 is not None:
                d_input_FM3[f, m] = torch.bmm(d_hidden_FMH, hidden_F3H.mT).baddbmm_(d_vector_FMH, embedding_F3H.mT)
        return d_input_FM3, d_weight_FM, d_hidden_F3H, d_embedding_F3H, d_gate_FHG, d_bias_F1G


def _tiles(weight_FM: Tensor, size: int) -> Iterator[tuple[slice, slice]]:
    """Slices of features and rows, tile by tile."""
    features, rows = weight_FM.shape
    height = min(rows, _TILE_ROWS)
    width = max(1, _TILE_ELEMENTS[weight_FM.device.type] // (height * size))
    for f in range(0, features, width):
        for m in range(0, rows, height):
            yield slice(f, f + width), slice(m, m + height)


def _part(input_FM3: Tensor, weights: Sequence[Tensor], f: slice, m: slice) -> list[Tensor]:
    """Inputs and weights of a tile, in the precision of the first weight."""
    return [each.to(weights[0].dtype) for each in (input_FM3[f, m], *(each[f] for each in weights))]
