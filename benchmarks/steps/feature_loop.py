"""Our network with its features one after the other: the same function, written as one would without thought of speed.

Each feature has modules of its own, run in a Python loop; autograd keeps what it needs of each.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from gogooku3.model.feature_networks import FeatureNetworks
from gogooku3.model.network import Network

TOLERANCE = 1e-4
"""Largest difference of a score, beside scores whose mean square is about 1."""


class FeatureNetwork(nn.Module):
    """Embedding, hidden layer, ELU, GLU, residual, norm: of one feature."""

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
    """What `FeatureNetworks` computes."""

    def __init__(self, networks: FeatureNetworks) -> None:
        super().__init__()
        features, size = networks.hidden_bias_FH.shape
        self.networks = nn.ModuleList(FeatureNetwork(size) for _ in range(features))
        with torch.no_grad():
            for f, made in enumerate(self.networks):
                made.embedding.weight.copy_(networks.embedding_F3H[f].T)
                made.hidden.weight.copy_(networks.hidden_FHH[f].T)
                made.hidden.bias.copy_(networks.hidden_bias_FH[f])
                made.gate.weight.copy_(networks.gate_FHG[f].T)
                made.gate.bias.copy_(networks.gate_bias_FG[f])

    def forward(self, input_FM3: Tensor, weight_FM: Tensor) -> Tensor:
        weighted = (
            weight_M.unsqueeze(-1) * network(input_M3)
            for network, input_M3, weight_M in zip(self.networks, input_FM3, weight_FM, strict=True)
        )
        return torch.stack(list(weighted)).sum(0)


def looped(network: Network) -> Network:
    """A copy of a network that goes through its features one by one."""
    made = copy.deepcopy(network)
    made.selection.networks = FeatureLoop(network.selection.networks)
    return made


@torch.no_grad()
def difference(network: Network, batch: tuple[Tensor, ...]) -> float:
    """Between the scores of a network and of its copy with a loop, without dropout.

    Raises:
        SystemExit: it is more than rounding.
    """
    was_training = network.training
    ours, theirs = network.eval()(*batch), looped(network).eval()(*batch)
    network.train(was_training)
    found = float((ours - theirs).abs().max() / ours.square().mean().sqrt())
    if not found <= TOLERANCE:
        raise SystemExit(f"the loop over features and our network differ by {found:.1e} of a typical score")
    return found
