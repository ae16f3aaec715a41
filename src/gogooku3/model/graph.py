"""Graph attention (GAT) over the k nearest neighbours of each stock.

Dynamic graph attention on a fixed-width neighbour table: neighbours are gather and nothing is scattered, so every
sum has a fixed order (deterministic). The block's output passes a gate that starts at exactly zero.

Source: Brody, Alon, Yahav, "How attentive are graph attention networks?", ICLR 2022 (GATv2), with edge attributes.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from gogooku3.dataset.schema import EDGE_ATTRIBUTES


class GraphAttention(nn.Module):
    """Adds to each stock's summary an attention-weighted mean over its neighbours."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        bound = 1 / math.sqrt(size)
        self.own = nn.Linear(size, size)
        self.other = nn.Linear(size, size)
        self.edge = nn.Linear(len(EDGE_ATTRIBUTES), size, bias=False)
        self.attention_aD = nn.Parameter(torch.empty(heads, size // heads).uniform_(-bound, bound))
        self.value = nn.Linear(size, size)
        self.gate_H = nn.Parameter(torch.zeros(size))

    def forward(self, h_DSH: Tensor, neighbours_DSK: Tensor, edges_DSKE: Tensor) -> tuple[Tensor, Tensor]:
        """Shapes: summaries [D, S, H], index of each neighbour on the stock axis, −1 for none [D, S, K],
        edge attributes [D, S, K, 3] → summaries [D, S, H], attention to the neighbours by head [D, S, K, heads], which
        sums to 1 together with the attention to the stock itself."""
        stocks = h_DSH.shape[1]
        exists_DSK1 = (neighbours_DSK >= 0).unsqueeze(-1)
        session_D11 = torch.arange(h_DSH.shape[0], device=h_DSH.device).view(-1, 1, 1) * stocks
        flat_DSK = neighbours_DSK.clamp(min=0) + session_D11

        def gather(projected_DSH: Tensor) -> Tensor:
            return projected_DSH.flatten(0, 1)[flat_DSK].unflatten(-1, (self.heads, -1))

        mixed_DSKaD = gather(self.other(h_DSH)) + (self.own(h_DSH).unsqueeze(2) + self.edge(edges_DSKE)).unflatten(
            -1, (self.heads, -1)
        )
        logit_DSKa = (F.leaky_relu(mixed_DSKaD, 0.2) * self.attention_aD).sum(-1)
        # The appended zero logit stands for the stock itself: without relevant neighbours nothing is mixed in.
        masked_DSaK = F.pad(torch.where(exists_DSK1, logit_DSKa, -math.inf).mT, (0, 1))
        # Over the last dimension: over another one, softmax calls the C library's `expf` for some sizes.
        weight_DSKa = torch.softmax(masked_DSaK, dim=-1, dtype=torch.float32)[..., :-1].mT
        message_DSH = (weight_DSKa.unsqueeze(-1) * gather(self.value(h_DSH))).sum(2).flatten(-2)
        return h_DSH + self.gate_H * message_DSH, weight_DSKa
