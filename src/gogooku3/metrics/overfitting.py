"""Probability of backtest overfitting (PBO) by combinatorially symmetric cross-validation (CSCV).

Bailey, Borwein, López de Prado and Zhu (2015, "The probability of backtest overfitting", Journal of Computational
Finance): the sessions are cut into S blocks. For every choice of S/2 blocks, the trial that is the best in them is
ranked among all trials in the other S/2. PBO is the share of choices in which it is not above the median there: ½ if
selection finds nothing, 0 if one trial is the best throughout.
"""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np

from gogooku3.metrics.cross_section import Floats

MOST_BLOCKS = 16
"""Number of blocks in the paper's examples: 12,870 choices."""
_LEAST_BLOCKS = 4


def overfitting_probability(values_TN: Floats, horizon: int, *, sharpe: bool = False) -> float:
    """PBO of choosing the best of N trials by their mean over sessions, or by their Sharpe ratio.

    Args:
        values_TN: [T, N] values by session and trial, such as RankIC or return; sessions with a NaN are left out.
        horizon: sessions that the targets behind a value span: a block is no shorter, so that few targets reach from
            one block into the next.
        sharpe: whether trials are compared by mean / standard deviation.

    Returns:
        NaN with fewer than two trials, or with sessions for fewer than four blocks.
    """
    rows_TN = values_TN[~np.isnan(values_TN).any(axis=1)]
    blocks = min(MOST_BLOCKS, len(rows_TN) // max(horizon, 2)) // 2 * 2
    if rows_TN.shape[1] < 2 or blocks < _LEAST_BLOCKS:
        return math.nan
    length = len(rows_TN) // blocks
    cut_SLN = rows_TN[-blocks * length :].reshape(blocks, length, -1)
    sums_SN, squares_SN = cut_SLN.sum(axis=1), (cut_SLN * cut_SLN).sum(axis=1)
    below = total = 0.0
    for chosen in combinations(range(blocks), blocks // 2):
        others = [block for block in range(blocks) if block not in chosen]
        inside_N, outside_N = (
            _performance(sums_SN[part].sum(axis=0), squares_SN[part].sum(axis=0), length * len(part), sharpe)
            for part in (list(chosen), others)
        )
        outside = outside_N[int(np.argmax(inside_N))]
        # The relative rank is that of the paper, rank / (N + 1); equal values share the mean of their ranks.
        rank = (outside_N < outside).sum() + ((outside_N == outside).sum() + 1) / 2
        share = rank / (len(outside_N) + 1)
        below += 0.5 if share == 0.5 else float(share < 0.5)
        total += 1
    return below / total


def _performance(sums_N: Floats, squares_N: Floats, sessions: int, sharpe: bool) -> Floats:
    means_N: Floats = sums_N / sessions
    if not sharpe:
        return means_N
    variance_N = squares_N / sessions - means_N * means_N
    deviation_N = np.sqrt(np.maximum(variance_N, 0.0))
    return np.where(deviation_N > 0, means_N / np.where(deviation_N > 0, deviation_N, 1.0), 0.0)
