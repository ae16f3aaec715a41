"""The batched variable selection against a plain loop over features."""

from __future__ import annotations

import torch
from torch.nn import functional as F  # noqa: N812

from gogooku3.model.feature_networks import FeatureNetworks
from gogooku3.model.selection import Selection


def one_by_one(networks: FeatureNetworks, x_MF: torch.Tensor) -> torch.Tensor:
    """A gated residual network per feature, one after the other: embed, hidden, ELU, GLU, residual, norm."""
    columns = []
    for f in range(x_MF.shape[1]):
        slope, offset, missing = networks.embedding_F3H[f]
        value_M1 = x_MF[:, f : f + 1]
        embedded = torch.where(value_M1.isnan(), missing, value_M1.nan_to_num() * slope + offset)
        hidden = F.elu(embedded @ networks.hidden_FHH[f] + networks.hidden_bias_FH[f])
        gated = F.glu(hidden @ networks.gate_FHG[f] + networks.gate_bias_FG[f], dim=-1)
        columns.append(F.layer_norm(embedded + gated, embedded.shape[-1:]))
    return torch.stack(columns)


def inputs(m: int, features: int) -> torch.Tensor:
    x_MF = torch.randn(m, features)
    x_MF[torch.rand(m, features) < 0.2] = torch.nan
    return x_MF


def test_all_features_at_once_equal_one_after_the_other() -> None:
    selection = Selection(7, 16, dropout=0.0)
    x_MF = inputs(30, 7)
    selected, weight_MF = selection(x_MF)
    vectors_FMH = one_by_one(selection.networks, x_MF)
    expected = (weight_MF.T.unsqueeze(-1) * vectors_FMH).sum(0)
    torch.testing.assert_close(selected, expected, rtol=1e-5, atol=1e-5)


def test_the_selection_weights_are_a_distribution_over_the_features() -> None:
    _, weight_MF = Selection(7, 16, dropout=0.0)(inputs(30, 7))
    assert (weight_MF > 0).all()
    torch.testing.assert_close(weight_MF.sum(-1), torch.ones(30))


def test_a_row_of_nothing_but_holes_is_finite() -> None:
    selected, _ = Selection(7, 16, dropout=0.0)(torch.full((1, 7), torch.nan))
    assert selected.isfinite().all()
