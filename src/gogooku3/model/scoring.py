"""Inference: scores for a range of sessions of a panel, bitwise the same for any range that contains a session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from gogooku3.model.ensemble import Ensemble, Model, combine
from gogooku3.model.inputs import Block, PanelOnDevice
from gogooku3.model.network import Network
from gogooku3.model.prefetch import BlockSpec, Prefetcher
from gogooku3.model.streaming import Scorer

_SESSIONS = 16
"""Sessions per block. Blocks start at multiples of it and always have this length, so a session's score comes from a
computation of the same shape whether it is requested alone or within a year."""


@torch.no_grad()
def score(model: Model, inputs: PanelOnDevice, first: int, last: int) -> np.ndarray:
    """Scores sessions `first` to `last` (indices, inclusive).

    Returns:
        float32 [sessions, S, P]; NaN where a stock has no bar in a session.
    """
    panel = inputs.panel
    scores_TSP = np.full((*panel.present_TS.shape, len(panel.horizons)), np.nan, np.float32)
    was_training = model.training
    model.eval()
    scorer = Scorer(model, inputs.device)
    for start, block in blocks(inputs, first, last):
        scores_DSP = scorer.scores(start, block).cpu().numpy()
        end = min(start + _SESSIONS, len(panel.sessions))
        scores_TSP[start:end] = scores_DSP[: end - start]
    model.train(was_training)
    scores_TSP[~panel.present_TS] = np.nan
    return scores_TSP[first : last + 1]


def score_members(model: Model, inputs: PanelOnDevice, first: int, last: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """The scores of a model, and those of each member of an ensemble; a single network has no members."""
    if isinstance(model, Network):
        return score(model, inputs, first, last), []
    members = [score(member, inputs, first, last) for member in model.networks]
    return combine(members, model.scales_MP.cpu().numpy()), members


def join(networks: Sequence[Network], inputs: PanelOnDevice) -> Model:
    """Several networks as an ensemble in which all weigh the same: the standard deviation of their scaled scores across
    the stocks is 1, averaged over the sessions of validation. One network as it is."""
    if len(networks) == 1:
        return networks[0]
    first, last = inputs.panel.split["validation"]
    scales_MP = np.stack([_scale(score(network, inputs, first, last)) for network in networks])
    return Ensemble(networks, torch.from_numpy(scales_MP).to(inputs.device)).eval()


def _scale(scores_TSP: np.ndarray) -> np.ndarray:
    """The reciprocal of the mean standard deviation of a session's scores by horizon, float32; 0 for equal scores."""
    traded_TSP = scores_TSP[np.isfinite(scores_TSP[..., 0]).any(axis=1)].astype(np.float64)
    deviation_P = np.nanstd(traded_TSP, axis=1).mean(axis=0)
    scale_P = np.divide(1.0, deviation_P, out=np.zeros_like(deviation_P), where=deviation_P > 0)
    return scale_P.astype(np.float32)


def blocks(inputs: PanelOnDevice, first: int, last: int) -> Iterator[tuple[int, Block]]:
    """Blocks of all stocks that cover the sessions `first` to `last`, each with the index of its first session."""
    all_S = np.arange(len(inputs.panel.codes))
    starts = range(first - first % _SESSIONS, last + 1, _SESSIONS)
    specs = (BlockSpec(start, _SESSIONS, all_S, with_neighbours=False) for start in starts)
    with Prefetcher(inputs, specs) as prefetcher:
        yield from zip(starts, prefetcher, strict=True)
