"""Exponential moving average of scores over sessions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def smooth(scores_TSH: NDArray[np.floating], decay: float) -> NDArray[np.float64]:
    """Exponential moving average of the scores of each stock: s̃_t = decay · s̃_{t−1} + (1 − decay) · s_t.

    The first score of a stock starts its average. A session without a score keeps the average, and stays NaN.
    """
    smoothed_TSH = np.empty(scores_TSH.shape)
    state_SH = np.full(scores_TSH.shape[1:], np.nan)
    for t, scores_SH in enumerate(scores_TSH.astype(np.float64)):
        known_SH = np.isfinite(scores_SH)
        mixed_SH = decay * state_SH + (1 - decay) * scores_SH
        state_SH = np.where(known_SH, np.where(np.isnan(state_SH), scores_SH, mixed_SH), state_SH)
        smoothed_TSH[t] = np.where(known_SH, state_SH, np.nan)
    return smoothed_TSH
