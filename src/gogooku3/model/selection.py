"""Variable selection network: weights the F features for each stock and session.

Each feature has its own gated residual network (Lim et al. 2021, section 4.2). They are evaluated together as batched
matrix products with the feature as the batch dimension, and once per (stock, session), so that all windows which
contain a session share its result.

A missing value (NaN) is not imputed: the feature then contributes a learned vector of its own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gogooku3.model.activations import elu, glu
from gogooku3.model.feature_networks import FeatureNetworks


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
        input_FM3 = torch.stack([filled_MF.T, observed_MF.T.to(x_MF.dtype), (~observed_MF).T.to(x_MF.dtype)], dim=-1)
        return self.dropout(self.networks(input_FM3, weight_MF.T.contiguous())), weight_MF

    def _weights(self, x_M2F: Tensor) -> Tensor:
        hidden_MH = self.output(elu(self.hidden(x_M2F)))
        gated_MF = glu(self.gate(self.dropout(hidden_MH)))
        return torch.softmax(self.norm(self.skip(x_M2F) + gated_MF), dim=-1, dtype=torch.float32)
