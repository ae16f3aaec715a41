"""Portfolio weights from scores: dollar-neutral long-short, unit gross exposure, optional sector neutrality and cap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gogooku3.config.evaluation import Portfolio
from gogooku3.metrics.cross_section import Floats, demean

_HALVINGS = 64
"""Bisection steps for the scale of capped weights: beyond the precision of a double."""

_SMALLEST = 1e-100
"""Smallest weight that is scaled up to the cap."""


def score_weights(scores_TS: NDArray[np.floating], sectors: Sequence[str], params: Portfolio) -> Floats:
    """Weights proportional to the scores minus their mean, [T, S]: Σw = 0 and Σ|w| = 1 in each session.

    With `sector_neutral` the mean is the sector's, and Σw = 0 in each sector. With `max_weight`, larger positions are
    capped and the others scaled up in proportion until Σ|w| = 1 again; if the cap limits the long or short side (of a
    sector), the other side is scaled down to the same sum. With too few stocks for that, Σ|w| stays below 1.

    A stock without a score has weight 0; if all scores of a session are equal (in each sector) or missing, all weights
    are 0.
    """
    group_S = np.unique(np.asarray(sectors), return_inverse=True)[1] if params.sector_neutral else None
    deviation_TS = _deviations(scores_TS.astype(np.float64), group_S)
    gross_T1 = np.abs(deviation_TS).sum(axis=1, keepdims=True)
    weights_TS = deviation_TS / np.where(gross_T1 > 0, gross_T1, 1.0)
    if params.max_weight is not None:
        above_T = np.abs(weights_TS).max(axis=1, initial=0.0) > params.max_weight
        weights_TS[above_T] = _capped(weights_TS[above_T], params.max_weight, group_S)
    return weights_TS


def equal_weights(scores_TS: NDArray[np.floating]) -> Floats:
    """Equal long-only weights for all stocks with a score, [T, S]: Σw = 1."""
    scored_TS = np.isfinite(scores_TS)
    weights_TS: Floats = scored_TS / np.maximum(scored_TS.sum(axis=1, keepdims=True), 1)
    return weights_TS


def _deviations(scores_TS: Floats, group_S: NDArray[np.intp] | None) -> Floats:
    """Scores minus their group's mean, in units of the session's range; 0 where a score is missing.

    Exactly 0 if all scores of a group are equal: each group's minimum is subtracted before its mean.
    """
    present_TS = ~np.isnan(scores_TS)
    lowest_TS = np.where(present_TS, scores_TS, np.inf)
    highest_T1 = np.where(present_TS, scores_TS, -np.inf).max(axis=1, keepdims=True)
    range_T1 = highest_T1 - lowest_TS.min(axis=1, keepdims=True)
    range_T1 = np.where(range_T1 > 0, range_T1, 1.0)
    deviation_TS = np.empty_like(scores_TS)
    for members_S in _members(group_S, scores_TS.shape[1]):
        base_T1 = lowest_TS[:, members_S].min(axis=1, keepdims=True)
        deviation_TS[:, members_S] = demean((scores_TS[:, members_S] - base_T1) / range_T1)
    return np.nan_to_num(deviation_TS, nan=0.0)


def _capped(weights_TS: Floats, cap: float, group_S: NDArray[np.intp] | None) -> Floats:
    """Weights times the scale, one per session, that gives unit gross exposure after capping.

    Gross exposure after capping rises with the scale until all weights are capped; bisection by geometric means finds
    the scale.
    """
    smallest_T = np.where(weights_TS == 0, np.inf, np.abs(weights_TS)).min(axis=1)
    low_T, high_T = np.ones(len(weights_TS)), cap / np.maximum(smallest_T, _SMALLEST)
    for _ in range(_HALVINGS):
        middle_T = np.sqrt(low_T * high_T)
        enough_T = np.abs(_cut(weights_TS, middle_T, cap, group_S)).sum(axis=1) >= 1
        low_T, high_T = np.where(enough_T, low_T, middle_T), np.where(enough_T, middle_T, high_T)
    return _cut(weights_TS, high_T, cap, group_S)


def _cut(weights_TS: Floats, scale_T: Floats, cap: float, group_S: NDArray[np.intp] | None) -> Floats:
    """Weights times the scale, capped, with the long and short side of each group scaled down to the smaller sum."""
    cut_TS = np.clip(weights_TS * scale_T[:, None], -cap, cap)
    for members_S in _members(group_S, weights_TS.shape[1]):
        part_TM = cut_TS[:, members_S]
        long_T1 = np.maximum(part_TM, 0.0).sum(axis=1, keepdims=True)
        short_T1 = np.maximum(-part_TM, 0.0).sum(axis=1, keepdims=True)
        side_TM = np.where(part_TM > 0, long_T1, short_T1)
        smaller_T1 = np.minimum(long_T1, short_T1)
        cut_TS[:, members_S] = part_TM * (smaller_T1 / np.where(side_TM > 0, side_TM, 1.0))
    return cut_TS


def _members(group_S: NDArray[np.intp] | None, stocks: int) -> list[NDArray[np.intp] | slice]:
    """Indices of each group's stocks; one group of all stocks if `group_S` is None."""
    if group_S is None:
        return [slice(0, stocks)]
    return [np.flatnonzero(group_S == group) for group in range(group_S.max(initial=-1) + 1)]
