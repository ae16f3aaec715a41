"""Statistics of scores: ICIR, IC decay, autocorrelation, quantile monotonicity, Fama–MacBeth slopes.

Scores and targets are [T sessions, S stocks], NaN where missing.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gogooku3.dataset.elementwise import divide
from gogooku3.metrics.cross_section import Floats, average_ranks, demean, demean_by_range, mask_pairs
from gogooku3.metrics.ranking import MIN_STOCKS, rank_ic

LAGS = (0, 1, 2, 5, 10, 20)
"""Lags, in sessions, at which the decay of the IC is measured."""


def information_ratio_of_ic(series: Floats) -> Floats:
    """ICIR (Grinold and Kahn, 2000; as in alphalens and qlib): mean / standard deviation (n − 1) of the session IC
    along the last axis, not annualised.

    NaN if there are fewer than two values or all are equal.
    """
    if series.shape[-1] < 2:
        return np.full(series.shape[:-1], np.nan)
    varied = series.max(axis=-1) > series.min(axis=-1)
    return divide(series.mean(axis=-1), np.where(varied, series.std(axis=-1, ddof=1), 0.0))


def decayed_rank_ic(scores_TS: NDArray[np.floating], next_returns_TS: NDArray[np.floating], lag: int) -> Floats:
    """[T] RankIC of the scores with the one-session returns that start `lag` sessions after them; NaN at the end."""
    series_T = np.full(len(scores_TS), np.nan)
    if lag < len(scores_TS):
        series_T[: len(scores_TS) - lag] = rank_ic(scores_TS[: len(scores_TS) - lag], next_returns_TS[lag:])
    return series_T


def score_autocorrelation(scores_TS: NDArray[np.floating]) -> Floats:
    """[T] rank correlation of each session's scores with those of the session before; NaN in the first."""
    return np.concatenate(([np.nan], rank_ic(scores_TS[1:], scores_TS[:-1])))


def monotonicity(means_Q: Floats) -> float:
    """Spearman's correlation of the number of a quantile and its mean return; 1 if each earns more than the one below.

    NaN if a mean is NaN or all are equal. Patton and Timmermann (2010) test it; this is the description.
    """
    if np.isnan(means_Q).any() or means_Q.max() == means_Q.min():
        return math.nan
    number_1Q, rank_1Q = demean(np.arange(len(means_Q), dtype=np.float64)[None]), demean(average_ranks(means_Q[None]))
    norm = math.sqrt(float((number_1Q * number_1Q).sum() * (rank_1Q * rank_1Q).sum()))
    return float((number_1Q * rank_1Q).sum()) / norm


def fama_macbeth_slopes(scores_TS: NDArray[np.floating], targets_TS: NDArray[np.floating]) -> Floats:
    """[T] slope of the session's targets on its standardised scores (Fama and MacBeth, 1973): the return for one
    standard deviation (n) of score.

    NaN for a session with fewer than `ranking.MIN_STOCKS` stocks that have both, or with equal scores.
    """
    scores, targets = mask_pairs(scores_TS, targets_TS)
    count_T = np.count_nonzero(~np.isnan(scores), axis=1)
    x, y = demean_by_range(scores), np.nan_to_num(demean(targets), nan=0.0)
    variance_T = (x * x).sum(axis=1) / np.maximum(count_T, 1)
    slope_T = divide((x * y).sum(axis=1) / np.maximum(count_T, 1), np.sqrt(variance_T))
    return np.where(count_T >= MIN_STOCKS, slope_T, np.nan)
