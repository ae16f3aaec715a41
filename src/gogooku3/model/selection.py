"""Variable selection over all features at once: which of F features matter for this stock in this session.

Each feature has its own gated residual network (Lim et al. 2021, section 4.2). They are evaluated together, as one
batched matrix product with the feature as the batch, and on one (stock, session) at a time, so that all windows
which contain a session share its result.

A missing value (NaN) is never read as a number: the feature then contributes a learned vector of its own.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812


class FeatureNetworks(nn.Module):
    """One gated residual network per feature, from its value to a vector of H.

    The embedding of a value is affine in it, so the layer behind it, before its ELU, is affine too. Both are
    multiplied out for the three inputs (value, observed, missing) before any value comes in: what is left per value is
    one grouped matrix product for both of them and one for the gate.
    """

    def __init__(self, features: int, size: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(size)

        def uniform(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(shape).uniform_(-bound, bound))

        self.embedding_F3H = uniform(features, 3, size)
        """Slope of an observed value, its offset, and the vector that stands for a missing one."""
        self.hidden_FHH = uniform(features, size, size)
        self.hidden_bias_FH = uniform(features, size)
        self.gate_FHG = uniform(features, size, 2 * size)
        self.gate_bias_FG = uniform(features, 2 * size)

    def forward(self, input_FM3: Tensor) -> Tensor:
        """Shapes: (value or 0, observed, missing) [F, M, 3] → vectors [F, M, H], standardised over H."""
        size = self.hidden_bias_FH.shape[-1]
        bias_F3H = self.hidden_bias_FH.unsqueeze(1) * self.embedding_F3H.new_tensor([[0.0], [1.0], [1.0]])
        hidden_F3H = torch.baddbmm(bias_F3H, self.embedding_F3H, self.hidden_FHH)
        hidden_FMH = F.elu(torch.bmm(input_FM3, hidden_F3H))
        gated_FMH = F.glu(torch.baddbmm(self.gate_bias_FG.unsqueeze(1), hidden_FMH, self.gate_FHG), dim=-1)
        return F.layer_norm(torch.baddbmm(gated_FMH, input_FM3, self.embedding_F3H), (size,))


class Selection(nn.Module):
    """Softmax weights over the features, and the weighted sum of their networks' outputs."""

    def __init__(self, features: int, size: int, dropout: float) -> None:
        super().__init__()
        self.networks = FeatureNetworks(features, size)
        self.hidden = nn.Linear(2 * features, size)
        self.output = nn.Linear(size, size)
        self.gate = nn.Linear(size, 2 * features)
        self.skip = nn.Linear(2 * features, features)
        self.norm = nn.LayerNorm(features)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_MF: Tensor) -> tuple[Tensor, Tensor]:
        """Shapes: values [M, F], NaN where missing → selected [M, H], selection weights [M, F]."""
        observed_MF = ~torch.isnan(x_MF)
        filled_MF = torch.where(observed_MF, x_MF, 0.0)
        weight_MF = self._weights(torch.cat([filled_MF, observed_MF.to(x_MF.dtype)], dim=-1))
        input_FM3 = torch.stack([filled_MF.T, observed_MF.T.float(), 1 - observed_MF.T.float()], dim=-1)
        selected_MH = torch.einsum("mf,fmh->mh", weight_MF, self.networks(input_FM3))
        return self.dropout(selected_MH), weight_MF

    def _weights(self, x_M2F: Tensor) -> Tensor:
        hidden_MH = self.output(F.elu(self.hidden(x_M2F)))
        gated_MF = F.glu(self.gate(self.dropout(hidden_MH)), dim=-1)
        return torch.softmax(self.norm(self.skip(x_M2F) + gated_MF), dim=-1, dtype=torch.float32)
