"""Significance of a Sharpe ratio: probabilistic and deflated Sharpe ratio, minimum track record length.

Ratios in this module are per session, not annualised.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gogooku3.metrics.cross_section import Floats
from gogooku3.metrics.distributions import normal_cdf, normal_quantile, student_two_sided
from gogooku3.metrics.returns import SESSIONS_PER_YEAR, sharpe
from gogooku3.metrics.session_mean import SessionMean

CONFIDENCE = 0.95
"""Probability of skill from which a track record counts as significant."""

MANY_TRIALS = 1_000_000
"""Upper limit of `TrackRecord.trials_survived`."""

_EULER_MASCHERONI = 0.5772156649015329


@dataclass(frozen=True)
class Trials:
    """The trials that a result was selected from (multiple testing)."""

    count: int
    """Number of independent trials, including the result itself."""
    variance: float = 0.0
    """Sample variance of their Sharpe ratios per session; 0 if fewer than two are known."""
    rank_ic_variance: float = 0.0
    """Sample variance of their mean RankICs; 0 if fewer than two are known."""


@dataclass(frozen=True)
class TrackRecord:
    """Moments of a return series, on which the significance of its Sharpe ratio depends, in addition to the trials."""

    ratio: float
    """Sharpe ratio per session; NaN if undefined, and then everything derived from it is NaN."""
    sessions: int
    skewness: float
    kurtosis: float
    """3 for a normal distribution."""

    @classmethod
    def of(cls, returns_T: Floats) -> TrackRecord:
        """Computes the moments of session returns."""
        ratio = float(sharpe(returns_T)) / math.sqrt(SESSIONS_PER_YEAR)
        if math.isnan(ratio):
            return cls(ratio, len(returns_T), math.nan, math.nan)
        deviation_T = returns_T - returns_T.mean()
        deviation_T = deviation_T / np.abs(deviation_T).max()
        squared_T = deviation_T * deviation_T
        variance = float(squared_T.mean())
        skewness = float((squared_T * deviation_T).mean()) / (variance * math.sqrt(variance))
        kurtosis = float((squared_T * squared_T).mean()) / (variance * variance)
        return cls(ratio, len(returns_T), skewness, kurtosis)

    def probabilistic(self, benchmark: float = 0.0) -> float:
        """Probabilistic Sharpe ratio: probability that the true ratio exceeds a benchmark (Bailey and López de Prado,
        2012, eq. 11).

        NaN if a moment is NaN or the variance of the estimate is not positive.
        """
        variance = self._variance
        if not variance > 0:
            return math.nan
        return normal_cdf((self.ratio - benchmark) * math.sqrt(self.sessions - 1) / math.sqrt(variance))

    def deflated(self, trials: Trials) -> float:
        """Deflated Sharpe ratio: probability that the true ratio exceeds the expected maximum of unskilled trials.

        Bailey and López de Prado (2014), with the variance of the trials' Sharpe ratios, but at least 1/(T − 1): the
        variance of estimates of a true ratio of zero over the same number of sessions. Trials that truly differ have a
        higher variance. Few or similar trials may have a lower one, which would underestimate chance. With one trial
        it is the probabilistic Sharpe ratio against 0.
        """
        variance = max(trials.variance, 1 / (self.sessions - 1))
        return self.probabilistic(expected_maximum_sharpe(trials.count, variance))

    def minimum_length(self, benchmark: float = 0.0) -> float:
        """Minimum track record length: sessions from which this Sharpe ratio exceeds a benchmark with `CONFIDENCE`.

        Bailey and López de Prado (2012, eq. 13). NaN if no number of sessions suffices, because the ratio is not above
        the benchmark.
        """
        variance = self._variance
        if not (variance > 0 and self.ratio > benchmark):
            return math.nan
        deviations = normal_quantile(CONFIDENCE) / (self.ratio - benchmark)
        return 1 + variance * deviations * deviations

    @property
    def trials_survived(self) -> int:
        """Largest number of trials of which this could be the best and still have a deflated Sharpe ratio of
        `CONFIDENCE`.

        0 if it is not significant as the only trial; at most `MANY_TRIALS`. Assumes that the trials differ by chance
        alone, with variance 1/(T − 1), because a run does not know them. With trials that truly differ it is lower.
        """
        low, high = 0, MANY_TRIALS + 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.deflated(Trials(middle)) >= CONFIDENCE else (low, middle)
        return low

    @property
    def _variance(self) -> float:
        """Variance of the estimated ratio, times sessions − 1 (Mertens, 2002)."""
        return 1 - self.skewness * self.ratio + (self.kurtosis - 1) / 4 * self.ratio * self.ratio


def deflated_mean(mean: SessionMean, trials: Trials) -> float:
    """Deflated mean RankIC: probability that the true mean exceeds the expected maximum of unskilled trials.

    As the deflated Sharpe ratio, with Student's t distribution instead of the normal one and the measured standard
    error of the mean: trials without skill vary by its square, or by the variance of the trials if that is larger.
    NaN without a standard error.
    """
    if not mean.error > 0:
        return math.nan
    chance = expected_maximum_sharpe(trials.count, max(trials.rank_ic_variance, mean.error * mean.error))
    t = (mean.value - chance) / mean.error
    tail = student_two_sided(mean.degrees, t) / 2
    return 1 - tail if t > 0 else tail


def expected_maximum_sharpe(trials: int, variance: float) -> float:
    """Expected maximum Sharpe ratio, or mean, of independent trials without skill.

    Bailey and López de Prado (2014), eq. 1: √variance ((1 − γ) Φ⁻¹(1 − 1/n) + γ Φ⁻¹(1 − 1/(n e))), γ the
    Euler–Mascheroni constant and `variance` the variance of the trials' Sharpe ratios. 0 for one trial.
    """
    if trials == 1:
        return 0.0
    typical = normal_quantile(1 - 1 / trials)
    extreme = normal_quantile(1 - 1 / (trials * math.e))
    return math.sqrt(variance) * ((1 - _EULER_MASCHERONI) * typical + _EULER_MASCHERONI * extreme)
