"""Rows (session, stock) of a panel to fit on: a matrix of features, and where each stock came in its session."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gogooku3.metrics.cross_section import average_ranks
from gogooku3.panel.panel import Panel

Matrix = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Rows:
    """N rows of whole sessions."""

    x_NF: Matrix
    """Features; NaN where missing."""
    y_NH: Matrix
    """Rank of the target among the session's stocks, from −0.5 to 0.5; NaN where the target is unknown.

    Ranks, for the order within a session is all that is scored, and one wild return would outweigh a year of others.
    """

    def known(self, place: int) -> tuple[Matrix, Matrix]:
        """Features and ranks of the rows in which the target of the horizon at `place` is known."""
        known_N = np.isfinite(self.y_NH[:, place])
        return self.x_NF[known_N], self.y_NH[known_N, place]


def rows_of(panel: Panel, split: str, limit: int) -> Rows:
    """The rows of a split, or every k-th session from its last back, so that there are at most `limit`.

    Neighbouring sessions say nearly the same, in overlapping targets and in features that change slowly: of all ways
    to take fewer rows this one loses least.
    """
    first, last = panel.split[split]
    bars_T = panel.present_TS[first : last + 1].sum(axis=1)
    step = 1
    while bars_T[::-1][::step].sum() > limit and step < len(bars_T):
        step += 1
    chosen = list(range(last, first - 1, -step))[::-1]
    present_TS = panel.present_TS[chosen]
    y_HTS = [_ranks(np.where(present_TS, panel.y_TSH[chosen, :, h], np.nan)) for h in range(len(panel.horizons))]
    return Rows(
        x_NF=np.concatenate([panel.x_TSF[t][panel.present_TS[t]] for t in chosen]),
        y_NH=np.stack([y_TS[present_TS] for y_TS in y_HTS], axis=1).astype(np.float32),
    )


def _ranks(targets_TS: NDArray[np.floating]) -> NDArray[np.float64]:
    """Ranks of each session brought to −0.5 … 0.5."""
    count_T1 = np.isfinite(targets_TS).sum(axis=1, keepdims=True)
    ranks_TS: NDArray[np.float64] = (average_ranks(targets_TS.astype(np.float64)) - 0.5) / np.maximum(count_T1, 1) - 0.5
    return ranks_TS
