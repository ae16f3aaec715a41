"""Inference: scores for a range of sessions of a panel, bitwise the same for any range that contains a session."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from gogooku3.model.inputs import Block, PanelOnDevice
from gogooku3.model.network import Network
from gogooku3.model.prefetch import BlockSpec, Prefetcher

_SESSIONS = 16
"""Sessions per block. Blocks start at multiples of it and always have this length, so a session's score comes from a
computation of the same shape whether it is requested alone or within a year."""


@torch.no_grad()
def score(network: Network, inputs: PanelOnDevice, first: int, last: int) -> np.ndarray:
    """Scores sessions `first` to `last` (indices, inclusive).

    Returns:
        float32 [sessions, S, P]; NaN where a stock has no bar in a session.
    """
    panel = inputs.panel
    scores_TSP = np.full((*panel.present_TS.shape, len(panel.horizons)), np.nan, np.float32)
    was_training = network.training
    network.eval()
    for start, block in blocks(inputs, first, last):
        scores_DSP = network(block.x_ZSF, block.neighbours_DSK, block.edges_DSKE).cpu().numpy()
        end = min(start + _SESSIONS, len(panel.sessions))
        scores_TSP[start:end] = scores_DSP[: end - start]
    network.train(was_training)
    scores_TSP[~panel.present_TS] = np.nan
    return scores_TSP[first : last + 1]


def blocks(inputs: PanelOnDevice, first: int, last: int) -> Iterator[tuple[int, Block]]:
    """Blocks of all stocks that cover the sessions `first` to `last`, each with the index of its first session."""
    all_S = np.arange(len(inputs.panel.codes))
    starts = range(first - first % _SESSIONS, last + 1, _SESSIONS)
    specs = (BlockSpec(start, _SESSIONS, all_S, with_neighbours=False) for start in starts)
    with Prefetcher(inputs, specs) as prefetcher:
        yield from zip(starts, prefetcher, strict=True)
