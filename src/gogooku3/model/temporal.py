"""Temporal block over the window: LSTM, interpretable multi-head attention, gated residuals (Lim et al. 2021)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gogooku3.model.gating import GatedResidual, GatedResidualNetwork
from gogooku3.model.lstm import Lstm


class InterpretableAttention(nn.Module):
    """Multi-head attention whose heads share one value projection, so that their mean weight is interpretable.

    The only query is the last session of a window, because only it is scored.
    """

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(size, size)
        self.key = nn.Linear(size, size)
        self.value = nn.Linear(size, size // heads)
        self.output = nn.Linear(size // heads, size)

    def forward(self, z_NLH: Tensor) -> tuple[Tensor, Tensor]:
        """Shapes: latent windows [N, L, H] → context [N, H], attention by lag [N, L]."""
        n, length, size = z_NLH.shape
        query_NaD = self.query(z_NLH[:, -1]).view(n, self.heads, -1)
        key_NLaD = self.key(z_NLH).view(n, length, self.heads, -1)
        logit_NLa = (key_NLaD * query_NaD.unsqueeze(1)).sum(-1) / math.sqrt(size // self.heads)
        # Over the last dimension: over another one, softmax calls the C library's `expf` for some sizes.
        weight_NL = torch.softmax(logit_NLa.mT, dim=-1, dtype=torch.float32).mean(1)
        context_ND = (weight_NL.unsqueeze(-1) * self.value(z_NLH)).sum(1)
        return self.output(context_ND), weight_NL


class Temporal(nn.Module):
    """Reduces a latent window to one summary vector."""

    def __init__(self, size: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.lstm = Lstm(size)
        self.after_lstm = GatedResidual(size, dropout)
        self.attention = InterpretableAttention(size, heads)
        self.after_attention = GatedResidual(size, dropout)
        self.feed_forward = GatedResidualNetwork(size, dropout)
        self.after_feed_forward = GatedResidual(size, dropout)

    def forward(self, z_NLH: Tensor) -> tuple[Tensor, Tensor]:
        """Shapes: latent windows [N, L, H] → summary [N, H], attention by lag [N, L]."""
        states_NLH = self.after_lstm(self.lstm(z_NLH), skip=z_NLH)
        context_NH, weight_NL = self.attention(states_NLH)
        attended_NH = self.after_attention(context_NH, skip=states_NLH[:, -1])
        summary_NH = self.after_feed_forward(self.feed_forward(attended_NH), skip=states_NLH[:, -1])
        return summary_NH, weight_NL
