"""Exponential moving average of a baseline's scores, with the decay that validation prefers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gogooku3.metrics.ranking import rank_ic
from gogooku3.metrics.smoothing import smooth


def smoothed(
    scores_TSH: NDArray[np.float32], targets_VSH: NDArray[np.floating], decays: Sequence[float]
) -> NDArray[np.float32]:
    """The scores, for each horizon smoothed with the decay of the best mean RankIC on validation.

    Args:
        scores_TSH: scores from the first session of validation on.
        targets_VSH: targets of validation, the first V of the T sessions.
        decays: the decays to choose from; of equal ones the first.
    """
    sessions = len(targets_VSH)
    candidates = [smooth(scores_TSH, decay) for decay in decays]
    best = np.empty_like(scores_TSH)
    for h in range(scores_TSH.shape[2]):
        found = [_mean(rank_ic(each_TSH[:sessions, :, h], targets_VSH[..., h])) for each_TSH in candidates]
        best[..., h] = candidates[int(np.argmax(found))][..., h]
    return best


def _mean(rank_ic_T: NDArray[np.float64]) -> float:
    defined_T = rank_ic_T[~np.isnan(rank_ic_T)]
    return float(defined_T.mean()) if len(defined_T) else -1.0
