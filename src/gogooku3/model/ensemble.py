"""A model of several members, which differ by the seed of their training: the mean of their scores.

Deep ensembles (Lakshminarayanan, Pritzel and Blundell, 2017): the mean over random starts has less variance than its
members. The losses do not depend on the scale of the scores, so each member has another; it is divided out.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Self, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from gogooku3.config.numerics import Numerics
from gogooku3.model.network import Architecture, Network, Trace

Scores = TypeVar("Scores", Tensor, np.ndarray)


def mean(scores: Sequence[Scores]) -> Scores:
    """Mean of float32 tensors or arrays, in the order given: the same bytes from both.

    Multiplies with the reciprocal, which a GPU does instead of a division by a number.
    """
    total: Scores = reduce(add, scores)
    return total * float(np.float32(1) / np.float32(len(scores)))


def combine(scores: Sequence[Scores], scales_MP: Scores) -> Scores:
    """Mean of the members' scores [..., P], each multiplied by its scale [P]; float32."""
    return mean([score * scale for score, scale in zip(scores, scales_MP, strict=True)])


class Ensemble(nn.Module):
    """Two members or more; scores as a `Network` does."""

    scales_MP: Tensor
    """Factors of the members' scores by horizon, which make them weigh the same."""

    def __init__(self, members: Sequence[Network], scales_MP: Tensor) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.register_buffer("scales_MP", scales_MP)

    @property
    def networks(self) -> list[Network]:
        """The members, in the order of their seeds."""
        return [member for member in self.members if isinstance(member, Network)]

    @property
    def architecture(self) -> Architecture:
        """The architecture of every member."""
        return self.networks[0].architecture

    def to_device(self, device: torch.device, numerics: Numerics) -> Self:
        """Moves the members to the device and sets their precision to `numerics.precision`."""
        for member in self.networks:
            member.to_device(device, numerics)
        return self.to(device)

    def forward(self, x_ZSF: Tensor, neighbours_DSK: Tensor, edges_DSKE: Tensor) -> Tensor:
        """Mean of the members' scaled scores; shapes as `Network.forward`."""
        return combine([member(x_ZSF, neighbours_DSK, edges_DSKE) for member in self.members], self.scales_MP)

    def trace(self, x_ZSF: Tensor, neighbours_DSK: Tensor, edges_DSKE: Tensor) -> Trace:
        """`forward`, which also returns the means of the members' selection and attention weights."""
        traces = [member.trace(x_ZSF, neighbours_DSK, edges_DSKE) for member in self.networks]
        neighbours = [trace.neighbours_DSKa for trace in traces if trace.neighbours_DSKa is not None]
        return Trace(
            scores_DSP=combine([trace.scores_DSP for trace in traces], self.scales_MP),
            selection_ZSF=mean([trace.selection_ZSF for trace in traces]),
            attention_DSL=mean([trace.attention_DSL for trace in traces]),
            neighbours_DSKa=mean(neighbours) if neighbours else None,
        )


Model = Network | Ensemble
"""What is delivered: one network, or an ensemble."""
