"""Portfolio weights from scores: dollar-neutral long-short, unit gross exposure, optional sector neutrality and cap."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from gogooku3.config.evaluation import Portfolio
from gogooku3.metrics.cross_section import Floats, demean

MAX_GROWTH = 10.0
"""Largest factor by which the cap makes other weights grow. With an unlimited one, a stock with a score in the last bit
above the mean would take a full position, and none in the last bit below it."""

_HALVINGS = 64
"""Bisection steps for a scale: beyond the precision of a double."""

_ROUNDING = 1e-13
"""Gross exposure by which a portfolio at its caps may miss 1 by rounding."""


def score_weights(
    scores_TS: NDArray[np.floating],
    sectors: Sequence[str],
    params: Portfolio,
    shortable_TS: NDArray[np.bool_] | None = None,
) -> Floats:
    """Weights proportional to the scores minus their mean, [T, S]: Σw = 0 and Σ|w| = 1 in each session.

    With `sector_neutral` the mean is the sector's, and Σw = 0 in each sector. With `max_weight`, larger positions are
    capped and the others of their side, long or short, scaled up in proportion, at most `MAX_GROWTH` times, until
    Σ|w| = 1 again. If a side (of a sector) cannot grow enough, the other one is scaled down to the same sum, which
    leaves its proportions; sectors grow for one another. Σ|w| stays below 1 where the stocks are too few for it.

    Weights are continuous in the scores, but where all scores of a session become equal: a change in the last bits of
    a score moves the last bits of the weights. Of two stocks (of a sector) the one with the larger score never has the
    smaller weight.

    A stock that cannot be sold short (`shortable_TS`; None: all can) has no weight below 0. The other short positions
    (of its sector) grow in its place, again at most `MAX_GROWTH` times, and the long side is scaled down if that is
    too little.

    A stock without a score has weight 0; if all scores of a session are equal (in each sector) or missing, all weights
    are 0.
    """
    group_S = np.unique(np.asarray(sectors), return_inverse=True)[1] if params.sector_neutral else None
    deviation_TS = _deviations(scores_TS.astype(np.float64), group_S)
    gross_T1 = np.abs(deviation_TS).sum(axis=1, keepdims=True)
    weights_TS = deviation_TS / np.where(gross_T1 > 0, gross_T1, 1.0)
    if shortable_TS is not None and not shortable_TS.all():
        weights_TS = _without_shorts(weights_TS, shortable_TS, group_S)
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


def _without_shorts(weights_TS: Floats, shortable_TS: NDArray[np.bool_], group_S: NDArray[np.intp] | None) -> Floats:
    """The weights without the short positions that are not possible: `shortable_TS` in `score_weights`."""
    allowed_TS = np.where(shortable_TS, weights_TS, np.maximum(weights_TS, 0.0))
    for members_S in _members(group_S, weights_TS.shape[1]):
        long_TM, short_TM = np.maximum(allowed_TS[:, members_S], 0.0), np.maximum(-allowed_TS[:, members_S], 0.0)
        long_T1, short_T1 = long_TM.sum(axis=1, keepdims=True), short_TM.sum(axis=1, keepdims=True)
        sum_T1 = np.minimum(long_T1, MAX_GROWTH * short_T1)
        long_TM = long_TM * (sum_T1 / np.where(long_T1 > 0, long_T1, 1.0))
        short_TM = short_TM * (sum_T1 / np.where(short_T1 > 0, short_T1, 1.0))
        allowed_TS[:, members_S] = long_TM - short_TM
    return allowed_TS


def _capped(weights_TS: Floats, cap: float, group_S: NDArray[np.intp] | None) -> Floats:
    """Capped weights: `max_weight` in `score_weights`.

    A side with weights w holds min(s · w, cap) at the scale s. One scale for all gives each group the sum that its
    smaller side has there: the smallest scale for the gross exposure without the cap, or `MAX_GROWTH`. Each side then
    has a scale of its own, which gives that sum.
    """
    groups = _members(group_S, weights_TS.shape[1])
    sides = [[np.maximum(sign * weights_TS[:, members_S], 0.0) for sign in (1.0, -1.0)] for members_S in groups]

    def sums(scale_T: Floats) -> list[Floats]:
        return [np.minimum(_held(long, scale_T, cap), _held(short, scale_T, cap)) for long, short in sides]

    gross_T = np.abs(weights_TS).sum(axis=1) - _ROUNDING
    scale_T = _smallest(lambda scale_T: 2 * np.sum(sums(scale_T), axis=0) >= gross_T, len(weights_TS))
    capped_TS = np.empty_like(weights_TS)
    for members_S, (long_TM, short_TM), sum_T in zip(groups, sides, sums(scale_T), strict=True):
        capped_TS[:, members_S] = _filled(long_TM, sum_T, cap) - _filled(short_TM, sum_T, cap)
    return capped_TS


def _filled(side_TM: Floats, sum_T: Floats, cap: float) -> Floats:
    """The positions of a side at the scale at which they have the given sum."""
    scale_T = _smallest(lambda scale_T: _held(side_TM, scale_T, cap) >= sum_T, len(side_TM))
    return np.minimum(side_TM * scale_T[:, None], cap)


def _held(side_TM: Floats, scale_T: Floats, cap: float) -> Floats:
    held_T: Floats = np.minimum(side_TM * scale_T[:, None], cap).sum(axis=1)
    return held_T


def _smallest(enough: Callable[[Floats], NDArray[np.bool_]], sessions: int) -> Floats:
    """The smallest scale per session, up to `MAX_GROWTH`, that is enough; `MAX_GROWTH` if none is."""
    low_T, high_T = np.zeros(sessions), np.full(sessions, MAX_GROWTH)
    for _ in range(_HALVINGS):
        middle_T = (low_T + high_T) / 2
        enough_T = enough(middle_T)
        low_T, high_T = np.where(enough_T, low_T, middle_T), np.where(enough_T, middle_T, high_T)
    return high_T


def _members(group_S: NDArray[np.intp] | None, stocks: int) -> list[NDArray[np.intp] | slice]:
    """Indices of each group's stocks; one group of all stocks if `group_S` is None."""
    if group_S is None:
        return [slice(0, stocks)]
    return [np.flatnonzero(group_S == group) for group in range(group_S.max(initial=-1) + 1)]
