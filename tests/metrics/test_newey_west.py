from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from gogooku3.metrics.newey_west import newey_west_lag, newey_west_t


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def test_the_lag_covers_the_overlap_of_targets_and_ends_inside_the_sample():
    assert newey_west_lag(100, 1) == 4
    assert newey_west_lag(1250, 1) == 7
    assert newey_west_lag(100, 5) == 6
    assert newey_west_lag(250, 20) == 29
    assert newey_west_lag(12, 20) == 11


def newey_west_reference(values, lag):
    """Bartlett-weighted double sum over all pairs of sessions, by loops."""
    n = len(values)
    e = values - values.mean()
    total = sum((1 - abs(i - j) / (lag + 1)) * e[i] * e[j] for i in range(n) for j in range(n) if abs(i - j) <= lag)
    return values.mean() / (math.sqrt(total) / n)


@pytest.mark.parametrize("horizon", [1, 5, 20])
def test_newey_west_equals_the_double_sum(horizon):
    series = 0.2 + np.convolve(noise(80), np.ones(horizon) / horizon, "valid")
    lag = newey_west_lag(len(series), horizon)
    assert newey_west_t(series, horizon) == pytest.approx(newey_west_reference(series, lag), rel=1e-10)


@pytest.mark.parametrize("horizon", [1, 5, 20])
def test_newey_west_equals_that_of_statsmodels(horizon):
    series = 0.2 + np.convolve(noise(120, seed=2), np.ones(horizon) / horizon, "valid")
    settings = {"maxlags": newey_west_lag(len(series), horizon), "use_correction": False}
    theirs = sm.OLS(series, np.ones(len(series))).fit(cov_type="HAC", cov_kwds=settings)
    assert newey_west_t(series, horizon) == pytest.approx(float(theirs.tvalues[0]), rel=1e-9)


def test_newey_west_by_hand():
    # Mean 2, deviations -1, 1, -1, 1; three pairs of neighbours, each -1 with weight 1/2: 4 - 2 * 1/2 * 3 = 1.
    assert newey_west_lag(4, 1) == 1
    assert newey_west_t(np.array([1.0, 3.0, 1.0, 3.0]), 1) == pytest.approx(2 / (1 / 4))


def test_a_missing_session_keeps_its_place_in_time():
    # The neighbours of the NaN are two sessions apart: of deviations -1, 1, NaN, -1, 1 two pairs are adjacent.
    gap = np.array([1.0, 3.0, np.nan, 1.0, 3.0])
    assert newey_west_t(gap, 1) == pytest.approx(2 / (math.sqrt(4 - 2 * 0.5 * 2) / 4))


@pytest.mark.parametrize("series", [[], [1.0], [0.1] * 30, [np.nan] * 30])
def test_no_t_value_of_nothing_or_of_a_constant(series):
    assert math.isnan(newey_west_t(np.array(series), 1))


def test_overlapping_noise_is_rarely_significant_once_overlap_is_counted():
    series = [np.convolve(noise(1009, seed=s), np.ones(10) / 10, "valid") for s in range(400)]
    robust = np.array([abs(newey_west_t(x, 10)) > 1.96 for x in series])
    naive = np.array([abs(stats.ttest_1samp(x, 0).statistic) > 1.96 for x in series])
    assert 0.02 < robust.mean() < 0.12
    assert naive.mean() > 4 * robust.mean()
