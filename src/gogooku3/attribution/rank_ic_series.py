"""The RankIC that scores reach, session by session, and what is lost of it when something is altered."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gogooku3.metrics.cross_section import Floats, demean
from gogooku3.metrics.estimate import mean
from gogooku3.metrics.ranking import rank_ic
from gogooku3.panel.panel import Panel


def rank_ics(scores_TSH: NDArray[np.floating], panel: Panel, first: int) -> Floats:
    """[T, H] RankIC of the scores of the sessions from index `first` on; NaN where it is undefined."""
    targets_TSH = panel.y_TSH[first : first + len(scores_TSH)]
    horizons = range(len(panel.horizons))
    return np.stack([rank_ic(scores_TSH[..., place], targets_TSH[..., place]) for place in horizons], axis=1)


def score_change(scores_TSH: NDArray[np.floating], altered_TSH: NDArray[np.floating]) -> float:
    """Root mean square of what became of a session's scores, in units of their deviation; the mean over sessions and
    horizons. What moves all scores of a session alike is no change; NaN where no session's scores differ."""
    changes = []
    for place in range(scores_TSH.shape[-1]):
        scores_TS = scores_TSH[..., place].astype(np.float64)
        change_T = np.nansum(demean(altered_TSH[..., place] - scores_TS) ** 2, axis=1)
        spread_T = np.nansum(demean(scores_TS) ** 2, axis=1)
        changes.append(mean(np.sqrt(change_T[spread_T > 0] / spread_T[spread_T > 0])))
    return float(np.mean(changes))
