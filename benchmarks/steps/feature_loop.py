"""Naive reference of our network: the same function with a Python loop over separate modules per feature."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from gogooku3.model.feature_networks import FeatureNetworks
from gogooku3.model.network import Network

TOLERANCE = 1e-4
"""Largest difference of a score, relative to the root mean square score."""


class FeatureNetwork(nn.Module):
    """Embedding, hidden layer, ELU, GLU, residual and layer norm of one feature."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.embedding = nn.Linear(3, size, bias=False)
        self.hidden = nn.Linear(size, size)
        self.gate = nn.Linear(size, 2 * size)

    def forward(self, input_M3: Tensor) -> Tensor:
        embedded_MH = self.embedding(input_M3)
        gated_MH = F.glu(self.gate(F.elu(self.hidden(embedded_MH))), dim=-1)
        return F.layer_norm(embedded_MH + gated_MH, embedded_MH.shape[-1:])


class FeatureLoop(nn.Module):
    """Computes the same as `FeatureNetworks`."""

    def __init__(self, networks: FeatureNetworks) -> None:
        super().__init__()
        features, size = networks.hidden_bias_FH.shape
        self.networks = nn.ModuleList(FeatureNetwork(size) for _ in range(features))
        with torch.no_grad():
            for f, module in enumerate(self.networks):
                module.embedding.weight.copy_(networks.embedding_F3H[f].T)
                module.hidden.weight.copy_(networks.hidden_FHH[f].T)
                module.hidden.bias.copy_(networks.hidden_bias_FH[f])
                module.gate.weight.copy_(networks.gate_FHG[f].T)
                module.gate.bias.copy_(networks.gate_bias_FG[f])

    def forward(self, input_FM3: Tensor, weight_FM: Tensor) -> Tensor:
        weighted = (
            weight_M.unsqueeze(-1) * network(input_M3)
            for network, input_M3, weight_M in zip(self.networks, input_FM3, weight_FM, strict=True)
        )
        return torch.stack(list(weighted)).sum(0)


def looped(network: Network) -> Network:
    """A copy of a network with a loop over features."""
    looped_network = copy.deepcopy(network)
    looped_network.selection.networks = FeatureLoop(network.selection.networks)
    return looped_network


@torch.no_grad()
def difference(network: Network, batch: tuple[Tensor, ...]) -> float:
    """Difference between the scores of a network and of its looped copy, without dropout.

    Raises:
        SystemExit: it is larger than rounding errors.
    """
    was_training = network.training
    ours, theirs = network.eval()(*batch), looped(network).eval()(*batch)
    network.train(was_training)
    relative = float((ours - theirs).abs().max() / ours.square().mean().sqrt())
    if not relative <= TOLERANCE:
        raise SystemExit(f"the loop over features and our network differ by {relative:.1e} of a typical score")
    return relative
