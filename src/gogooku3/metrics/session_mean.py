"""Standard error, confidence interval and test of a mean over autocorrelated sessions.

Equal-weighted cosine estimate (EWC) of the long-run variance (Lazarus, Lewis, Stock and Watson, 2018): the mean of B
squared cosine transforms of the series at its lowest frequencies. Divided by it, a mean without skill has Student's t
distribution with B degrees of freedom instead of the normal one, which keeps the size of the test right in short
samples (fixed-b asymptotics: Kiefer and Vogelsang, 2005); a t-value of Newey and West against 1.96 does not.

Two additions for targets that overlap. B is at most sessions / horizon: higher frequencies lie where the overlap of
`horizon` sessions has removed the variance. What it removes below that is known, because overlapping targets of
uncorrelated returns have the autocorrelations 1 − k/h at lag k: the estimate is divided by the share of the true
variance that it finds on average under this model, and its degrees of freedom are those of Satterthwaite (1946) under
it. How much of the model holds is measured: a RankIC, and more so a difference of two, has these autocorrelations only
as far as the scores persist. They are taken as λ (1 − k/h), λ from the measured autocorrelation at lag 1 plus
`_ALLOWANCE` standard errors, at most 1.

On noise the test at 5 % rejects 2.4 to 6.5 % of the time, for 60 to 500 sessions, horizons of 1 to 20 sessions and
scores of any persistence; `docs/log.md` has the table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import mpmath
import numpy as np

from gogooku3.metrics.cross_section import Floats
from gogooku3.metrics.distributions import student_quantile, student_two_sided

LEVEL = 0.95
"""Nominal coverage of the intervals."""

_ALLOWANCE = 2.0
"""Standard errors, 1/√T each, that are added to the autocorrelation at lag 1. It is estimated too low in short samples,
and an interval that is somewhat too wide is the lesser error."""
_SHARES = 20
"""Steps of λ, upwards, so that the correction is computed for few values."""


@dataclass(frozen=True)
class SessionMean:
    """A mean over sessions with its standard error; NaN where undefined."""

    value: float
    error: float
    """Standard error."""
    degrees: float
    """Degrees of freedom of the standard error."""

    @property
    def bounds(self) -> tuple[float, float]:
        """Confidence interval of level `LEVEL`."""
        if math.isnan(self.error):
            return math.nan, math.nan
        width = self.error * student_quantile(self.degrees, (1 + LEVEL) / 2)
        return self.value - width, self.value + width

    @property
    def t(self) -> float:
        """t-value of the mean, with `degrees` degrees of freedom; NaN if all values are equal."""
        return self.value / self.error if self.error > 0 else math.nan

    @property
    def p(self) -> float:
        """Two-sided p-value of a mean of zero; NaN if all values are equal."""
        return math.nan if math.isnan(self.t) else student_two_sided(self.degrees, self.t)


def session_mean(values: Floats, horizon: int) -> SessionMean:
    """The mean over sessions of a series, or the mean over several series of their means.

    Args:
        values: [T] or [T, K]; NaN where a session has no value. It keeps its place in time and contributes nothing
            (Parzen, 1963).
        horizon: sessions that the targets behind the values span, the longest of the series; 1 if they do not overlap.

    Returns:
        Undefined if a series has no value; without error if there are no more sessions than `horizon`.
    """
    values_TK = values[:, None] if values.ndim == 1 else values
    known_TK = ~np.isnan(values_TK)
    inside = np.flatnonzero(known_TK.any(axis=1))
    if not known_TK.any(axis=0).all():
        return SessionMean(math.nan, math.nan, math.nan)
    span = slice(inside[0], inside[-1] + 1)
    values_TK, known_TK = values_TK[span], known_TK[span]
    count_K = known_TK.sum(axis=0)
    mean_K = np.where(known_TK, values_TK, 0.0).sum(axis=0) / count_K
    value = float(mean_K.mean())
    sessions = len(values_TK)
    if sessions <= horizon or sessions < 2:
        return SessionMean(value, math.nan, math.nan)
    # What each session adds to the error of the mean of means: the variance of the sum is that of the mean.
    influence_T = (np.where(known_TK, values_TK - mean_K, 0.0) / count_K).mean(axis=1)
    cosines_TB = _cosines(sessions, frequencies(sessions, horizon))
    transforms_B = (influence_T[:, None] * cosines_TB).sum(axis=0)
    found = float((transforms_B * transforms_B).mean()) * sessions
    share, degrees = _overlap(sessions, horizon, _model_share(influence_T, horizon))
    return SessionMean(value, math.sqrt(found / share), degrees)


def frequencies(sessions: int, horizon: int) -> int:
    """Number of cosine transforms B: ⌊0.4 T^(2/3)⌋ (Lazarus et al., eq. 4), at most T / horizon, at least 1."""
    count = 1
    while 125 * (count + 1) ** 3 <= 8 * sessions**2:  # in integers, to avoid the rounding of a float power
        count += 1
    return max(1, min(count, sessions // horizon))


def _model_share(influence_T: Floats, horizon: int) -> int:
    """λ in steps of 1/`_SHARES`: how much of the overlap's autocorrelation the series may have."""
    square = float((influence_T * influence_T).sum())
    if horizon == 1 or square == 0:
        return 0
    lag_1 = float((influence_T[1:] * influence_T[:-1]).sum()) / square + _ALLOWANCE / math.sqrt(len(influence_T))
    share = lag_1 / (1 - 1 / horizon)
    return min(_SHARES, max(0, math.ceil(share * _SHARES)))


@lru_cache
def _overlap(sessions: int, horizon: int, steps: int) -> tuple[float, float]:
    """Under autocorrelations λ (1 − k/h), λ = `steps` / `_SHARES`: the share of the true variance of a mean that the
    estimate finds on average, and its degrees of freedom.

    For C the cosines [T, B] and S the covariances, the mean is tr(C'SC) / B and the variance 2 Σ (C'SC)² / B².
    """
    cosines_TB = _cosines(sessions, frequencies(sessions, horizon))
    weight = steps / _SHARES
    product_TB = cosines_TB.copy()  # S C, by elementwise sums: a matrix product's last bits differ between machines
    true = float(sessions)
    for lag in range(1, min(horizon, sessions)):
        correlation = weight * (1 - lag / horizon)
        product_TB[lag:] += correlation * cosines_TB[:-lag]
        product_TB[:-lag] += correlation * cosines_TB[lag:]
        true += 2 * (sessions - lag) * correlation
    found_BB = np.stack([(cosines_TB * product_TB[:, [each]]).sum(axis=0) for each in range(cosines_TB.shape[1])])
    mean = float(np.trace(found_BB)) / len(found_BB)
    degrees = 2 * (mean * len(found_BB)) ** 2 / (2 * float((found_BB * found_BB).sum()))
    return mean * sessions / true, degrees


@lru_cache
def _cosines(sessions: int, count: int) -> Floats:
    """[T, B] type II cosine transform: √(2/T) cos(π j (t − ½) / T), j = 1 … B; columns are orthonormal and sum to 0.

    cos(π m / 2T) is computed once for each m by mpmath: the C library's cosine differs between machines.
    """
    with mpmath.workprec(80):
        table = np.array([float(mpmath.cospi(mpmath.mpf(m) / (2 * sessions))) for m in range(2 * sessions + 1)])
    turn_TB = np.outer(2 * np.arange(sessions) + 1, np.arange(1, count + 1)) % (4 * sessions)
    turn_TB = np.minimum(turn_TB, 4 * sessions - turn_TB)
    cosines_TB: Floats = math.sqrt(2 / sessions) * table[turn_TB]
    cosines_TB.setflags(write=False)
    return cosines_TB
