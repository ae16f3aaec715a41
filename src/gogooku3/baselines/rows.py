"""Training rows (session, stock) of a panel: feature matrix, and target ranks as labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gogooku3.metrics.cross_section import average_ranks
from gogooku3.metrics.ranking import rank_ic
from gogooku3.panel.panel import Panel

Matrix = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Rows:
    """N rows, always all stocks of a session, in the order of sessions."""

    x_NF: Matrix
    """Features; NaN where missing."""
    y_NH: Matrix
    """Rank of the target within its session, from −0.5 to 0.5; NaN where the target is unknown.

    Ranks, because only the order within a session is evaluated, and one outlier would outweigh a year of returns.
    """
    stocks_T: NDArray[np.intp]
    """Number of rows of each session."""

    def labelled(self, index: int) -> tuple[Matrix, Matrix]:
        """Features and ranks of the rows with a known target of the horizon at `index`."""
        known_N = np.isfinite(self.y_NH[:, index])
        return self.x_NF[known_N], self.y_NH[known_N, index]

    def rank_ic(self, scores_N: NDArray[np.floating], index: int) -> float:
        """Mean RankIC over the sessions, of the horizon at `index`; −1 if no session has one: such scores lose."""
        inside_TS = np.arange(self.stocks_T.max())[None] < self.stocks_T[:, None]
        scores_TS, targets_TS = np.full((2, *inside_TS.shape), np.nan)
        scores_TS[inside_TS], targets_TS[inside_TS] = scores_N, self.y_NH[:, index]
        rank_ic_T = rank_ic(scores_TS, targets_TS)
        defined_T = rank_ic_T[~np.isnan(rank_ic_T)]
        return float(defined_T.mean()) if len(defined_T) else -1.0


def rows_of(panel: Panel, split: str, limit: int) -> Rows:
    """The rows of a split, subsampled to every k-th session, counted back from the last, if they exceed `limit`.

    Neighbouring sessions are nearly redundant (overlapping targets, slow features), so dropping whole sessions loses
    the least information.
    """
    first, last = panel.split[split]
    bars_T = panel.present_TS[first : last + 1].sum(axis=1)
    step = 1
    while bars_T[::-1][::step].sum() > limit and step < len(bars_T):
        step += 1
    sessions = list(range(last, first - 1, -step))[::-1]
    present_TS = panel.present_TS[sessions]
    y_HTS = [_ranks(np.where(present_TS, panel.y_TSH[sessions, :, h], np.nan)) for h in range(len(panel.horizons))]
    return Rows(
        x_NF=np.concatenate([panel.x_TSF[t][panel.present_TS[t]] for t in sessions]),
        y_NH=np.stack([y_TS[present_TS] for y_TS in y_HTS], axis=1).astype(np.float32),
        stocks_T=present_TS.sum(axis=1),
    )


def _ranks(targets_TS: NDArray[np.floating]) -> NDArray[np.float64]:
    """Ranks within each session, scaled to −0.5 … 0.5."""
    count_T1 = np.isfinite(targets_TS).sum(axis=1, keepdims=True)
    ranks_TS: NDArray[np.float64] = (average_ranks(targets_TS.astype(np.float64)) - 0.5) / np.maximum(count_T1, 1) - 0.5
    return ranks_TS
