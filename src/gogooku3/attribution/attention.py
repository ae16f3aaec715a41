"""Weights inside a model: feature selection, temporal attention by lag, graph attention to neighbours.

Those of an ensemble are the means of its members' weights.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from gogooku3.dataset.schema import EDGE_ATTRIBUTES
from gogooku3.metrics.cross_section import Floats
from gogooku3.model.ensemble import Model
from gogooku3.model.inputs import Block, PanelOnDevice
from gogooku3.model.network import Trace
from gogooku3.model.scoring import blocks

KINDS = ("neither", "same segment", "same sector", "same sector and segment")
"""Kinds of graph edges, by what the two stocks have in common."""


@dataclass(frozen=True, eq=False)
class AttentionWeights:
    """Means over the stocks with a bar, for T sessions; F features, L sessions of a window, K neighbours.

    Without a graph block, the last three have no columns.
    """

    selection_TF: Floats
    """Selection weights; their sum is 1."""
    attention_TL: Floats
    """Attention weights over the window by lag, the scored session first; their sum is 1."""
    neighbours_TK: Floats
    """Attention to the neighbours by rank, then to the stock itself; their sum is 1."""
    kinds_TC: Floats
    """Attention to the neighbours by kind of edge, in the order of `KINDS`."""
    edges_TC: Floats
    """Number of edges per stock, by kind."""


@torch.no_grad()
def attention_weights(model: Model, inputs: PanelOnDevice, first: int, last: int) -> AttentionWeights:
    """Weights of a model in evaluation mode for the sessions `first` to `last` (indices, inclusive)."""
    parts: list[AttentionWeights] = []
    for start, block in blocks(inputs, first, last):
        trace = model.trace(block.x_ZSF, block.neighbours_DSK, block.edges_DSKE)
        present_TS = inputs.panel.present_TS[start : start + len(block.y_DSP)]
        inside = slice(max(first - start, 0), min(last + 1 - start, len(present_TS)))
        parts.append(_of_block(block, trace, inside, torch.from_numpy(present_TS[inside]).to(block.x_ZSF.device)))
    names = (field.name for field in fields(AttentionWeights))
    return AttentionWeights(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def _of_block(block: Block, trace: Trace, inside: slice, present_DS: Tensor) -> AttentionWeights:
    share_DS1 = (present_DS.double() / present_DS.sum(1, keepdim=True)).unsqueeze(-1)

    def mean(values_DSX: Tensor) -> Floats:
        """Mean over the stocks with a bar, [D, X]."""
        return (values_DSX[inside].double() * share_DS1).sum(1).cpu().numpy()

    sessions = len(block.y_DSP)
    selection_TF, attention_TL = mean(trace.selection_ZSF[-sessions:]), mean(trace.attention_DSL.flip(-1))
    if trace.neighbours_DSKa is None:
        return AttentionWeights(selection_TF, attention_TL, *(np.empty((len(selection_TF), 0)) for _ in range(3)))
    weight_DSK = trace.neighbours_DSKa.double().mean(-1)
    known_DSK = block.neighbours_DSK >= 0
    sector_DSK, segment_DSK = (
        block.edges_DSKE[..., EDGE_ATTRIBUTES.index(name)] for name in ("SameSector", "SameSegment")
    )
    kind_DSK = (2 * sector_DSK + segment_DSK).long()
    is_DSKC = known_DSK.unsqueeze(-1) & (kind_DSK.unsqueeze(-1) == torch.arange(len(KINDS), device=kind_DSK.device))
    own_DS1 = 1 - weight_DSK.sum(-1, keepdim=True)
    return AttentionWeights(
        selection_TF,
        attention_TL,
        neighbours_TK=mean(torch.cat([weight_DSK, own_DS1], dim=-1)),
        kinds_TC=mean((weight_DSK.unsqueeze(-1) * is_DSKC).sum(2)),
        edges_TC=mean(is_DSKC.sum(2)),
    )
