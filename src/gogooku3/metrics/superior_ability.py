"""Test for superior predictive ability (SPA): is the best of many trials truly better than a benchmark?

Hansen (2005, "A test for superior predictive ability", Journal of Business and Economic Statistics), the studentised
refinement of White's (2000) reality check: the largest t-value over the trials is compared with its bootstrap
distribution if no trial is better. Trials that are clearly worse are left where they are (the consistent p-value), so
that adding bad ones does not hide a good one.
"""

from __future__ import annotations

import math

import mpmath
import numpy as np

from gogooku3.config.evaluation import Bootstrap
from gogooku3.metrics.bootstrap import stationary_bootstrap
from gogooku3.metrics.cross_section import Floats


def superior_ability(gains_TN: Floats, params: Bootstrap, horizon: int) -> float:
    """Consistent p-value of the hypothesis that no trial is better than the benchmark.

    Args:
        gains_TN: [T, N] trial minus benchmark, by session; sessions with a NaN are left out.
        params: draws, seed, and mean block length `mean_block`, or `horizon` if that is longer.
        horizon: sessions that the targets behind a value span.

    Returns:
        NaN without a trial that differs from the benchmark, or if there are no more sessions than `horizon`.
    """
    rows_TN = gains_TN[~np.isnan(gains_TN).any(axis=1)]
    sessions = len(rows_TN)
    if sessions <= max(horizon, 2):
        return math.nan
    rows_TN = rows_TN[:, rows_TN.max(axis=0) > rows_TN.min(axis=0)]
    if not rows_TN.shape[1]:
        return math.nan
    block = max(params.mean_block, horizon)
    mean_N = rows_TN.mean(axis=0)
    deviation_N = np.sqrt(_variance(rows_TN - mean_N, block))
    statistic = max(0.0, float((math.sqrt(sessions) * mean_N / deviation_N).max()))
    # Hansen's threshold, √(2 log log n): a trial below it stays below in the bootstrap.
    with mpmath.workprec(80):
        threshold = float(mpmath.sqrt(2 * mpmath.log(mpmath.log(sessions))))
    centre_N = np.where(mean_N >= -deviation_N / math.sqrt(sessions) * threshold, mean_N, 0.0)
    beyond = 0
    for draw_T in stationary_bootstrap(sessions, params.draws, block, params.seed):
        drawn_N = math.sqrt(sessions) * (rows_TN[draw_T].mean(axis=0) - centre_N) / deviation_N
        beyond += max(0.0, float(drawn_N.max())) > statistic
    return beyond / params.draws


def _variance(deviations_TN: Floats, block: int) -> Floats:
    """[N] long-run variance that the stationary bootstrap implies (Hansen, 2005, eq. 7; Politis and Romano, 1994)."""
    sessions = len(deviations_TN)
    variance_N: Floats = (deviations_TN * deviations_TN).mean(axis=0)
    stays = 1.0
    around = _powers(1 - 1 / block, sessions)
    for lag in range(1, sessions):
        stays *= 1 - 1 / block
        weight = (sessions - lag) / sessions * stays + lag / sessions * around[sessions - lag]
        variance_N = variance_N + 2 * weight * (deviations_TN[lag:] * deviations_TN[:-lag]).sum(axis=0) / sessions
    return variance_N


def _powers(base: float, count: int) -> Floats:
    """[count + 1] base⁰ … base^count by products: the C library's power differs between machines."""
    return np.cumprod(np.concatenate(([1.0], np.full(count, base))), dtype=np.float64)
