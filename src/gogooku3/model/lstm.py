"""An LSTM whose bits do not depend on the C library.

For some sizes (hidden 8, for one) torch's own takes `expf` from the C library for each gate. Here the gates of a
session, tanh(x) = 2 sigmoid(2x) − 1 among them, are one `exp` of a whole tensor. Signs and the factor 2 are multiplied
into the weights beforehand, which is exact. On a GPU, where no C library takes part, cuDNN computes it.

Source: Hochreiter, Schmidhuber, "Long short-term memory", Neural Computation 9 (1997), with forget gates (Gers,
Schmidhuber, Cummins, 2000). Letters of shapes: N windows, L sessions, H hidden size, G = 4H gates in torch's order:
input, forget, cell, output.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F  # noqa: N812


class Lstm(nn.LSTM):
    """One layer, one direction, batch first, from a state of zeros; torch's names of weights and first values."""

    weight_ih_l0: Tensor
    weight_hh_l0: Tensor
    bias_ih_l0: Tensor
    bias_hh_l0: Tensor

    def __init__(self, size: int) -> None:
        super().__init__(size, size, batch_first=True)

    def forward(self, z_NLH: Tensor) -> Tensor:  # type: ignore[override]
        """Shapes: [N, L, H] → state after each session [N, L, H]."""
        if z_NLH.is_cuda:
            states_NLH: Tensor = super().forward(z_NLH)[0]
            return states_NLH
        sign_G = _sign(self.hidden_size, self.weight_ih_l0)
        bias_G = (self.bias_ih_l0 + self.bias_hh_l0) * sign_G
        input_NLG = F.linear(z_NLH, self.weight_ih_l0 * sign_G.unsqueeze(-1), bias_G)
        states_NLH = _Recurrence.apply(input_NLG, (self.weight_hh_l0 * sign_G.unsqueeze(-1)).to(input_NLG.dtype))
        return states_NLH  # noqa: RET504


def _sign(size: int, like: Tensor) -> Tensor:
    """What a gate's input is multiplied by: 1 / (1 + exp) of it is then the gate. Shape: [G]."""
    sign_G = like.new_full((4 * size,), -1.0)
    sign_G[2 * size : 3 * size] = -2.0
    return sign_G


class _Recurrence(torch.autograd.Function):
    """From what each session adds to the gates to the states; products in the inputs' precision, states in float32."""

    @staticmethod
    def forward(ctx: Any, input_NLG: Tensor, weight_GH: Tensor) -> Tensor:
        n, length, gates = input_NLG.shape
        wide = torch.promote_types(input_NLG.dtype, torch.float32)
        states_NLH = input_NLG.new_empty(n, length, gates // 4, dtype=wide)
        cell_NH = torch.zeros_like(states_NLH[:, 0])
        kept: list[Tensor] = []
        for session in range(length):
            gate_NG = input_NLG[:, session]
            if session:
                gate_NG = torch.addmm(gate_NG, states_NLH[:, session - 1].to(weight_GH.dtype), weight_GH.T)
            gate_NG = gate_NG.to(wide).exp().add_(1).reciprocal_()
            take_NH, keep_NH, new_NH, show_NH = _split(gate_NG)
            cell_NH = torch.addcmul(keep_NH * cell_NH, take_NH, new_NH)
            squashed_NH = cell_NH.tanh()
            torch.mul(show_NH, squashed_NH, out=states_NLH[:, session])
            if any(ctx.needs_input_grad):
                kept += gate_NG, cell_NH, squashed_NH
        ctx.save_for_backward(weight_GH, states_NLH, *kept)
        return states_NLH

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_states_NLH: Tensor) -> tuple[Tensor, Tensor]:
        weight_GH, states_NLH, *kept = ctx.saved_tensors
        n, length, size = states_NLH.shape
        sign_G, nothing_NH = _sign(size, states_NLH), torch.zeros_like(states_NLH[:, 0])
        d_input_NLG = weight_GH.new_empty(n, length, 4 * size)
        d_state_NH, d_cell_NH = d_states_NLH[:, -1], nothing_NH
        for session in reversed(range(length)):
            gate_NG, _, squashed_NH = kept[3 * session : 3 * session + 3]
            before_NH = kept[3 * session - 2] if session else nothing_NH
            take_NH, keep_NH, new_NH, show_NH = _split(gate_NG)
            d_shown_NH = d_state_NH * show_NH
            d_cell_NH = torch.addcmul(d_cell_NH + d_shown_NH, d_shown_NH, squashed_NH.square(), value=-1)
            parts = d_cell_NH * new_NH, d_cell_NH * before_NH, d_cell_NH * take_NH
            slope_NG = torch.addcmul(gate_NG, gate_NG, gate_NG, value=-1).mul_(sign_G)
            d_gate_NG = torch.cat([*parts, d_state_NH * squashed_NH], dim=-1).mul_(slope_NG).to(weight_GH.dtype)
            d_input_NLG[:, session] = d_gate_NG
            if session:
                d_cell_NH = d_cell_NH * keep_NH
                d_state_NH = d_states_NLH[:, session - 1] + torch.mm(d_gate_NG, weight_GH)
        before_NLH = F.pad(states_NLH[:, :-1], (0, 0, 1, 0)).to(weight_GH.dtype)
        return d_input_NLG, d_input_NLG.flatten(0, 1).T @ before_NLH.flatten(0, 1)


def _split(gate_NG: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Input, forget, cell and output gate, [N, H] each."""
    take_NH, keep_NH, new_NH, show_NH = gate_NG.chunk(4, dim=-1)
    return take_NH, keep_NH, new_NH * 2 - 1, show_NH
