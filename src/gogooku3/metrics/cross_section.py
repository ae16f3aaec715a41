"""Cross-sectional operations, row by row: pairwise masks, demeaning and ranks over the stocks of a session.

T sessions, S stocks; NaN is a stock without a value in that session.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def mask_pairs(scores_TS: NDArray[np.floating], targets_TS: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Scores and targets in float64, each NaN wherever the other is missing."""
    both_TS = np.isfinite(scores_TS) & np.isfinite(targets_TS)
    scores, targets = scores_TS.astype(np.float64), targets_TS.astype(np.float64)
    return np.where(both_TS, scores, np.nan), np.where(both_TS, targets, np.nan)


def demean(x_TS: Floats) -> Floats:
    """Each value minus the mean of its session; NaN stays NaN."""
    present_TS = ~np.isnan(x_TS)
    count_T1 = present_TS.sum(axis=1, keepdims=True)
    total_T1 = np.where(present_TS, x_TS, 0.0).sum(axis=1, keepdims=True)
    mean_T1: Floats = total_T1 / np.maximum(count_T1, 1)
    return x_TS - mean_T1


def demean_by_range(x_TS: Floats) -> Floats:
    """Deviations from the session's mean in units of the session's range; 0 where a value is missing.

    A session whose values are all equal is 0 throughout. The minimum is subtracted before the mean, so that neither a
    high level nor tiny differences lose precision: the deviations sum to 0 even if scores differ only in their last
    bit. Correlations and unit-gross weights do not depend on the unit.
    """
    present_TS = ~np.isnan(x_TS)
    highest_T1 = np.where(present_TS, x_TS, -np.inf).max(axis=1, keepdims=True)
    lowest_T1 = np.where(present_TS, x_TS, np.inf).min(axis=1, keepdims=True)
    range_T1 = np.where(highest_T1 > lowest_T1, highest_T1 - lowest_T1, 1.0)
    return np.nan_to_num(demean((x_TS - lowest_T1) / range_T1), nan=0.0)


def average_ranks(x_TS: Floats) -> Floats:
    """Ranks from 1 within each session; equal values share the mean of their ranks, NaN stays NaN."""
    first_TS, last_TS = _rank_ranges(x_TS)
    return np.where(np.isnan(x_TS), np.nan, (first_TS + last_TS) / 2 + 1)


def lowest_ranks(x_TS: Floats) -> Floats:
    """Ranks from 1 within each session; equal values share the lowest of their ranks, NaN stays NaN."""
    return np.where(np.isnan(x_TS), np.nan, _rank_ranges(x_TS)[0] + 1.0)


def _rank_ranges(x_TS: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Positions, from 0, of the first and last value equal to each value (ties) in its session's sorted order."""
    position_S = np.arange(x_TS.shape[1])
    order_TS = np.argsort(x_TS, axis=1, kind="stable")
    sorted_TS = np.take_along_axis(x_TS, order_TS, axis=1)
    starts_TS = np.ones(x_TS.shape, dtype=bool)
    starts_TS[:, 1:] = sorted_TS[:, 1:] != sorted_TS[:, :-1]
    ends_TS = np.ones(x_TS.shape, dtype=bool)
    ends_TS[:, :-1] = starts_TS[:, 1:]
    from_the_right_TS = np.where(ends_TS, position_S, x_TS.shape[1])[:, ::-1]
    first_TS, last_TS = np.empty((2, *x_TS.shape), dtype=np.intp)
    np.put_along_axis(first_TS, order_TS, np.maximum.accumulate(np.where(starts_TS, position_S, 0), axis=1), axis=1)
    np.put_along_axis(last_TS, order_TS, np.minimum.accumulate(from_the_right_TS, axis=1)[:, ::-1], axis=1)
    return first_TS, last_TS
