"""Gated residual network (GRN), the building block of the temporal fusion transformer (TFT).

Source: Lim, Arik, Loeff, Pfister, "Temporal Fusion Transformers for interpretable multi-horizon time series
forecasting", International Journal of Forecasting 37 (2021), section 4.1.
"""

from __future__ import annotations

from torch import Tensor, nn

from gogooku3.model.activations import elu, glu


class GatedResidual(nn.Module):
    """`LayerNorm(skip + GLU(x))`: a gated skip connection."""

    def __init__(self, size: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.gate = nn.Linear(size, 2 * size)
        self.norm = nn.LayerNorm(size)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Shapes: x […, H], skip […, H] → […, H]."""
        return self.norm(skip + glu(self.gate(self.dropout(x))))


class GatedResidualNetwork(nn.Module):
    """`GatedResidual(W₂ ELU(W₁ x))` with x as the skip connection."""

    def __init__(self, size: int, dropout: float) -> None:
        super().__init__()
        self.hidden = nn.Linear(size, size)
        self.output = nn.Linear(size, size)
        self.residual = GatedResidual(size, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x […, H] → […, H]."""
        return self.residual(self.output(elu(self.hidden(x))), skip=x)
