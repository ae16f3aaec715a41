"""RankIC of scores by session, and the size of a change of scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gogooku3.metrics.cross_section import Floats, demean
from gogooku3.metrics.estimate import mean
from gogooku3.metrics.ranking import rank_ic
from gogooku3.panel.panel import Panel


def rank_ics(scores_TSH: NDArray[np.floating], panel: Panel, first: int) -> Floats:
    """[T, H] RankIC of the scores of the sessions from index `first` on; NaN where undefined."""
    targets_TSH = panel.y_TSH[first : first + len(scores_TSH)]
    horizons = range(len(panel.horizons))
    return np.stack([rank_ic(scores_TSH[..., index], targets_TSH[..., index]) for index in horizons], axis=1)


def score_change(scores_TSH: NDArray[np.floating], perturbed_TSH: NDArray[np.floating]) -> float:
    """Root mean square change of a session's scores, in units of their standard deviation, averaged over sessions and
    horizons. A common shift of all scores of a session does not count; NaN if all scores of each session are equal."""
    changes = []
    for index in range(scores_TSH.shape[-1]):
        scores_TS = scores_TSH[..., index].astype(np.float64)
        change_T = np.nansum(demean(perturbed_TSH[..., index] - scores_TS) ** 2, axis=1)
        spread_T = np.nansum(demean(scores_TS) ** 2, axis=1)
        changes.append(mean(np.sqrt(change_T[spread_T > 0] / spread_T[spread_T > 0])))
    return float(np.mean(changes))
