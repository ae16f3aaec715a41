"""How sure a Sharpe ratio or a mean is: stationary bootstrap, probabilistic and deflated Sharpe ratio."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from gogooku3.evaluation.cross_section import Floats
from gogooku3.evaluation.portfolio import SESSIONS_PER_YEAR, sharpe

LEVEL = 0.95
"""Probability that the intervals are meant to cover."""

_NORMAL = NormalDist()
_EULER_MASCHERONI = 0.5772156649015329
_KEY_BITS = 64


def stationary_bootstrap(sessions: int, draws: int, mean_block: int, seed: int) -> NDArray[np.int64]:
    """Positions of the stationary bootstrap, [draws, sessions] (Politis and Romano, 1994).

    Blocks start anywhere with equal probability, have geometric lengths of mean `mean_block`, and run on from
    the last session to the first. The draws depend on the arguments alone.
    """
    generator = np.random.Generator(np.random.Philox(key=seed % (1 << _KEY_BITS)))
    position = np.arange(sessions)
    start = np.floor(generator.random((draws, sessions)) * sessions).astype(np.int64)
    opens_block = generator.random((draws, sessions)) < 1 / mean_block
    # Where nothing was drawn since the start, the block is the one that position 0 opened.
    opened_at = np.maximum.accumulate(np.where(opens_block, position, 0), axis=1)
    return (np.take_along_axis(start, opened_at, axis=1) + position - opened_at) % sessions


def interval(
    values_T: Floats, statistic: Callable[[Floats], Floats], draws: int, mean_block: int, seed: int
) -> tuple[float, float]:
    """Percentile interval of level `LEVEL` for a statistic of a series, by stationary bootstrap.

    Args:
        values_T: the series; NaN sessions are left out and their neighbours joined.
        statistic: takes [draws, sessions] to [draws]; draws for which it is NaN are left out.
        draws: resampled series.
        mean_block: mean length of a block, in sessions; a block should span the dependence in the series.
        seed: of the draws.

    Returns:
        Lower and upper bound; NaN when the series is empty or no draw has the statistic. A percentile
        interval over few blocks is too narrow: it needs some dozens of them in the series for its nominal
        level.
    """
    values = values_T[~np.isnan(values_T)]
    if not len(values):
        return math.nan, math.nan
    estimates = statistic(values[stationary_bootstrap(len(values), draws, mean_block, seed)])
    estimates = estimates[~np.isnan(estimates)]
    if not len(estimates):
        return math.nan, math.nan
    low, high = np.quantile(estimates, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def probabilistic_sharpe(ratio: float, benchmark: float, sessions: int, skewness: float, kurtosis: float) -> float:
    """Probability that the true Sharpe ratio exceeds a benchmark (Bailey and López de Prado, 2012, eq. 11).

    Args:
        ratio: observed Sharpe ratio per session, not annualised.
        benchmark: per session too.
        sessions: returns that the ratio was measured on.
        skewness: of the returns.
        kurtosis: of the returns; 3 for a normal distribution.

    Returns:
        A probability; NaN when a moment is NaN or the moments leave the estimate no variance.
    """
    variance = 1 - skewness * ratio + (kurtosis - 1) / 4 * ratio**2
    if not variance > 0:
        return math.nan
    return _NORMAL.cdf((ratio - benchmark) * math.sqrt(sessions - 1) / math.sqrt(variance))


def expected_maximum_sharpe(trials: int, variance: float) -> float:
    """Sharpe ratio that the best of independent trials without any skill is expected to show.

    Bailey and López de Prado (2014), eq. 1: √variance ((1 − γ) Φ⁻¹(1 − 1/n) + γ Φ⁻¹(1 − 1/(n e))), γ the
    Euler–Mascheroni constant and `variance` that of the trials' Sharpe ratios. Of one trial it is 0.
    """
    if trials == 1:
        return 0.0
    typical = _NORMAL.inv_cdf(1 - 1 / trials)
    extreme = _NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return math.sqrt(variance) * ((1 - _EULER_MASCHERONI) * typical + _EULER_MASCHERONI * extreme)


def deflated_sharpe(returns_T: Floats, trials: int) -> float:
    """Probability that the true Sharpe ratio exceeds what the best of `trials` trials shows by luck.

    Bailey and López de Prado (2014). Of the trials only the number is known, so their Sharpe ratios are taken
    to vary as estimates of a true ratio of zero do over as many sessions: variance 1/(T − 1) per session.
    Trials that resemble each other vary less, and the result is then on the safe side. With one trial it is
    the probabilistic Sharpe ratio against 0. NaN where the Sharpe ratio is.
    """
    ratio = float(sharpe(returns_T)) / math.sqrt(SESSIONS_PER_YEAR)
    if math.isnan(ratio):
        return math.nan
    deviation_T = returns_T - returns_T.mean()
    deviation_T = deviation_T / np.abs(deviation_T).max()
    squared_T = deviation_T * deviation_T
    variance = float(squared_T.mean())
    skewness = float((squared_T * deviation_T).mean()) / (variance * math.sqrt(variance))
    kurtosis = float((squared_T * squared_T).mean()) / (variance * variance)
    sessions = len(returns_T)
    benchmark = expected_maximum_sharpe(trials, 1 / (sessions - 1))
    return probabilistic_sharpe(ratio, benchmark, sessions, skewness, kurtosis)
