"""An LSTM whose bits do not depend on the C library.

For some sizes (such as hidden size 8) torch's own LSTM calls the C library's `expf` for each gate. Here all gates of a
session, including tanh(x) = 2 sigmoid(2x) − 1, are one `exp` of a whole tensor. Signs and the factor 2 are multiplied
into the weights beforehand, which is exact. A GPU does not use the C library, so cuDNN computes the LSTM there.

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
    """One layer, one direction, batch first, zero initial state; weight names and initialisation as in torch."""

    weight_ih_l0: Tensor
    weight_hh_l0: Tensor
    bias_ih_l0: Tensor
    bias_hh_l0: Tensor

    def __init__(self, size: int) -> None:
        super().__init__(size, size, batch_first=True)

    def forward(self, z_NLH: Tensor) -> Tensor:  # type: ignore[override]
        """Shapes: [N, L, H] → hidden state after each session [N, L, H]."""
        if z_NLH.is_cuda:
            states_NLH: Tensor = super().forward(z_NLH)[0]
            return states_NLH
        sign_G = _sign(self.hidden_size, self.weight_ih_l0)
        bias_G = (self.bias_ih_l0 + self.bias_hh_l0) * sign_G
        input_NLG = F.linear(z_NLH, self.weight_ih_l0 * sign_G.unsqueeze(-1), bias_G)
        states_NLH = _Recurrence.apply(input_NLG, (self.weight_hh_l0 * sign_G.unsqueeze(-1)).to(input_NLG.dtype))
        return states_NLH  # noqa: RET504


def _sign(size: int, like: Tensor) -> Tensor:
    """Factor of each gate's input, so that 1 / (1 + exp(·)) of the product is the gate. Shape: [G]."""
    sign_G = like.new_full((4 * size,), -1.0)
    sign_G[2 * size : 3 * size] = -2.0
    return sign_G


class _Recurrence(torch.autograd.Function):
    """From the sessions' gate inputs to the hidden states; products in the inputs' precision, states in float32."""

    @staticmethod
    def forward(ctx: Any, input_NLG: Tensor, weight_GH: Tensor) -> Tensor:
        n, length, gates = input_NLG.shape
        wide = torch.promote_types(input_NLG.dtype, torch.float32)
        states_NLH = input_NLG.new_empty(n, length, gates // 4, dtype=wide)
        cell_NH = torch.zeros_like(states_NLH[:, 0])
        saved: list[Tensor] = []
        for session in range(length):
            gate_NG = input_NLG[:, session]
            if session:
                gate_NG = torch.addmm(gate_NG, states_NLH[:, session - 1].to(weight_GH.dtype), weight_GH.T)
            gate_NG = gate_NG.to(wide).exp().add_(1).reciprocal_()
            input_NH, forget_NH, candidate_NH, output_NH = _split(gate_NG)
            cell_NH = torch.addcmul(forget_NH * cell_NH, input_NH, candidate_NH)
            tanh_NH = cell_NH.tanh()
            torch.mul(output_NH, tanh_NH, out=states_NLH[:, session])
            if any(ctx.needs_input_grad):
                saved += gate_NG, cell_NH, tanh_NH
        ctx.save_for_backward(weight_GH, states_NLH, *saved)
        return states_NLH

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_states_NLH: Tensor) -> tuple[Tensor, Tensor]:
        weight_GH, states_NLH, *saved = ctx.saved_tensors
        n, length, size = states_NLH.shape
        sign_G, zeros_NH = _sign(size, states_NLH), torch.zeros_like(states_NLH[:, 0])
        d_input_NLG = weight_GH.new_empty(n, length, 4 * size)
        d_state_NH, d_cell_NH = d_states_NLH[:, -1], zeros_NH
        for session in reversed(range(length)):
            gate_NG, _, tanh_NH = saved[3 * session : 3 * session + 3]
            previous_cell_NH = saved[3 * session - 2] if session else zeros_NH
            input_NH, forget_NH, candidate_NH, output_NH = _split(gate_NG)
            d_tanh_NH = d_state_NH * output_NH
            d_cell_NH = torch.addcmul(d_cell_NH + d_tanh_NH, d_tanh_NH, tanh_NH.square(), value=-1)
            parts = d_cell_NH * candidate_NH, d_cell_NH * previous_cell_NH, d_cell_NH * input_NH
            slope_NG = torch.addcmul(gate_NG, gate_NG, gate_NG, value=-1).mul_(sign_G)
            d_gate_NG = torch.cat([*parts, d_state_NH * tanh_NH], dim=-1).mul_(slope_NG).to(weight_GH.dtype)
            d_input_NLG[:, session] = d_gate_NG
            if session:
                d_cell_NH = d_cell_NH * forget_NH
                d_state_NH = d_states_NLH[:, session - 1] + torch.mm(d_gate_NG, weight_GH)
        previous_NLH = F.pad(states_NLH[:, :-1], (0, 0, 1, 0)).to(weight_GH.dtype)
        return d_input_NLG, d_input_NLG.flatten(0, 1).T @ previous_NLH.flatten(0, 1)


def _split(gate_NG: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Input, forget, cell and output gate, [N, H] each."""
    input_NH, forget_NH, candidate_NH, output_NH = gate_NG.chunk(4, dim=-1)
    return input_NH, forget_NH, candidate_NH * 2 - 1, output_NH
