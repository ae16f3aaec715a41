"""Newey–West t-value of a mean over autocorrelated sessions."""

from __future__ import annotations

import math

import numpy as np

from gogooku3.metrics.cross_section import Floats


def newey_west_lag(sessions: int, horizon: int) -> int:
    """Number of lags for the t-value of a mean over `sessions` values with targets of `horizon` sessions.

    The larger of Newey and West's (1994) rule of thumb ⌊4 (n/100)^(2/9)⌋ and 1.5 times the overlap of neighbouring
    targets, horizon − 1; with a factor of 1.0 the Bartlett weights would underweight the overlap. At most n − 1.
    """
    # k ≤ 4 (n/100)^(2/9) in integer arithmetic, to avoid the rounding of a float power.
    rule_of_thumb = 0
    while (rule_of_thumb + 1) ** 9 * 100**2 <= 4**9 * sessions**2:
        rule_of_thumb += 1
    return min(max(rule_of_thumb, math.ceil(1.5 * (horizon - 1))), sessions - 1)


def newey_west_t(values_T: Floats, horizon: int) -> float:
    """t-value of the mean of `values_T` with Newey and West's (1987) HAC variance, lags by `newey_west_lag`.

    NaN sessions keep their position in time and contribute nothing: autocovariances are over the pairs of sessions
    that exist (Parzen, 1963). NaN if there are fewer than two values or all are equal. The variance is biased
    downwards if the sample spans few horizons: over 250 sessions of pure noise, |t| > 1.96 occurs in about 5 % of cases
    at horizon 1, about 10 % at horizon 5, 15 % at horizon 20. The intervals of `gogooku3.metrics.bootstrap` correct
    this; the t-value is the uncorrected standard statistic.
    """
    present_T = ~np.isnan(values_T)
    values = values_T[present_T]
    if len(values) < 2 or values.max() == values.min():
        return math.nan
    mean = values.mean()
    deviation_T = np.where(present_T, values_T - mean, 0.0)
    lag = newey_west_lag(len(values), horizon)
    variance = (deviation_T * deviation_T).sum()
    for step in range(1, lag + 1):
        weight = 1 - step / (lag + 1)
        variance += 2 * weight * (deviation_T[step:] * deviation_T[:-step]).sum()
    standard_error = math.sqrt(max(variance, 0.0)) / len(values)
    return float(mean / standard_error) if standard_error > 0 else math.nan
