"""The whole ATFT-GAT-FAN network: selection → (adaptive norm around) temporal → graph attention → score per horizon.

Letters of shapes: D sessions scored, Z = D + L − 1 sessions read, L sessions of a window, S stocks, F features,
H hidden size, N = D·S windows, K neighbours, E edge attributes, P horizons.

In precision `tf32` matrix products round their float32 inputs to a mantissa of 10 bits and accumulate in float32
(torch's switch of the process). In precision `bf16` (mixed precision) they take bfloat16 inputs and accumulate in
float32; adaptive normalisation and the layers after the last attention are then float32. Weights, softmax and
normalisation statistics are always float32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from gogooku3.config import model as config
from gogooku3.config.numerics import Numerics
from gogooku3.config.section import section
from gogooku3.model.adaptive_norm import AdaptiveNorm
from gogooku3.model.gating import GatedResidualNetwork
from gogooku3.model.graph import GraphAttention
from gogooku3.model.selection import Selection
from gogooku3.model.temporal import Temporal
from gogooku3.runtime.numerics import key


@section
class Architecture:
    """Everything that determines the shapes of the weights; a block that is None is switched off."""

    abi: str
    """Feature ABI: SHA-256 of the ordered features that the weights were trained on."""
    features: int
    horizons: list[int]
    backbone: config.Backbone
    adaptive_norm: config.AdaptiveNorm | None
    graph: config.GraphAttention | None


class Trace(NamedTuple):
    """Scores of a block of sessions, with the selection and attention weights behind them."""

    scores_DSP: Tensor
    selection_ZSF: Tensor
    """Softmax weights over the features, for every session read."""
    attention_DSL: Tensor
    """Weights over the sessions of each window, the scored one last."""
    neighbours_DSKa: Tensor | None
    """Weights over the neighbours, by head; with the weight of the stock itself they sum to 1. None without a graph
    block."""


class Network(nn.Module):
    """Scores every stock of every session in a block of consecutive sessions."""

    selection: Selection
    temporal: Temporal
    output: GatedResidualNetwork
    head: nn.Linear
    adaptive_norm: AdaptiveNorm | None
    graph: GraphAttention | None
    precision = "float32"

    def __init__(self, architecture: Architecture, seed: int) -> None:
        """Initialises each block from (seed, block name): switching one block on does not change the others."""
        super().__init__()
        self.architecture = architecture
        size, dropout = architecture.backbone.hidden_size, architecture.backbone.dropout
        norm, graph = architecture.adaptive_norm, architecture.graph

        def block(name: str, make: Callable[[], nn.Module]) -> None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(key(seed, "weights", name))
                setattr(self, name, make())

        block("selection", lambda: Selection(architecture.features, size, dropout))
        block("temporal", lambda: Temporal(size, architecture.backbone.heads, dropout))
        block("output", lambda: GatedResidualNetwork(size, dropout))
        block("head", lambda: nn.Linear(size, len(architecture.horizons)))
        self.adaptive_norm = self.graph = None
        if norm is not None:
            window = architecture.backbone.window
            block("adaptive_norm", lambda: AdaptiveNorm(size, window, norm.components, norm.slice_length))
        if graph is not None:
            block("graph", lambda: GraphAttention(size, graph.heads))

    def to_device(self, device: torch.device, numerics: Numerics) -> Self:
        """Moves the network to the device and sets the precision to `numerics.precision`."""
        self.precision = numerics.precision
        return self.to(device)

    def forward(self, x_ZSF: Tensor, neighbours_DSK: Tensor, edges_DSKE: Tensor) -> Tensor:
        """Scores the last D of the Z sessions.

        Shapes: features [D + L − 1, S, F], NaN where missing; neighbours [D, S, K], −1 for none; edge attributes
        [D, S, K, 3] → scores [D, S, P], higher where a higher return is expected.
        """
        return self.trace(x_ZSF, neighbours_DSK, edges_DSKE).scores_DSP

    def trace(self, x_ZSF: Tensor, neighbours_DSK: Tensor, edges_DSKE: Tensor) -> Trace:
        """`forward`, which also returns the selection and attention weights; same input shapes."""
        with self.mixed(x_ZSF.device):
            z_ZSH, selection_ZSF = self.embed(x_ZSF)
            summary_DSH, attention_DSL = self.summarise(z_ZSH)
            scores_DSP, neighbours_DSKa = self.finish(summary_DSH, neighbours_DSK, edges_DSKE)
        return Trace(scores_DSP, selection_ZSF, attention_DSL, neighbours_DSKa)

    def mixed(self, device: torch.device) -> torch.autocast:
        """Context manager for the parts of the network: mixed precision, if `precision` is bf16."""
        return torch.autocast(device.type, torch.bfloat16, enabled=self.precision == "bf16")

    def embed(self, x_ZSF: Tensor) -> tuple[Tensor, Tensor]:
        """Embeds each stock in each session. Shapes: features [Z, S, F] → embedding [Z, S, H], selection [Z, S, F]."""
        z_MH, selection_MF = self.selection(x_ZSF.flatten(0, 1))
        return z_MH.unflatten(0, x_ZSF.shape[:2]), selection_MF.unflatten(0, x_ZSF.shape[:2])

    def summarise(self, z_ZSH: Tensor) -> tuple[Tensor, Tensor]:
        """Reduces the windows of each stock. Shapes: embedding [D + L − 1, S, H] → summary [D, S, H], attention
        [D, S, L]."""
        stocks = z_ZSH.shape[1]
        z_NHL = z_ZSH.unfold(0, self.architecture.backbone.window, 1).flatten(0, 1)
        if self.adaptive_norm is None:
            summary_NH, attention_NL = self.temporal(z_NHL.mT.contiguous())
        else:
            normal_NHL, predictions = self.adaptive_norm.normalise(z_NHL)
            summary_NH, attention_NL = self.temporal(normal_NHL.mT.contiguous())
            summary_NH = self.adaptive_norm.restore(summary_NH, predictions)
        return summary_NH.unflatten(0, (-1, stocks)), attention_NL.unflatten(0, (-1, stocks))

    def finish(self, summary_DSH: Tensor, neighbours_DSK: Tensor, edges_DSKE: Tensor) -> tuple[Tensor, Tensor | None]:
        """Scores sessions from the summaries of all stocks. Shapes: → scores [D, S, P], attention to the neighbours
        [D, S, K, heads] or None."""
        neighbours_DSKa = None
        if self.graph is not None:
            summary_DSH, neighbours_DSKa = self.graph(summary_DSH, neighbours_DSK, edges_DSKE)
        # In bfloat16 many scores would be equal (ties).
        with torch.autocast(summary_DSH.device.type, enabled=False):
            return self.head(self.output(summary_DSH.float())), neighbours_DSKa
