"""The mean over sessions: its standard error, interval and test have the right size on noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from measures.noise import HORIZONS, rank_ics_of_noise
from scipy import fft, stats

from gogooku3.metrics import session_mean as module
from gogooku3.metrics.session_mean import frequencies, session_mean


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def overlapping(sessions: int, horizon: int, seed: int) -> np.ndarray:
    return np.convolve(noise(sessions + horizon - 1, seed=seed), np.ones(horizon) / horizon, "valid")


@pytest.mark.parametrize(("sessions", "horizon", "count"), [(100, 1, 8), (500, 1, 25), (500, 20, 25), (60, 20, 3)])
def test_the_number_of_frequencies_follows_the_papers_rule_and_ends_where_the_overlap_does(sessions, horizon, count):
    assert frequencies(sessions, horizon) == count
    assert frequencies(sessions, 1) == math.floor(0.4 * sessions ** (2 / 3))


def test_the_transforms_are_the_cosine_transforms_of_scipy():
    series = noise(60)
    transforms = (series[:, None] * module._cosines(60, 6)).sum(axis=0)
    np.testing.assert_allclose(transforms, fft.dct(series, type=2, norm="ortho")[1:7], rtol=1e-12)


def test_without_overlap_it_is_the_ewc_test_of_the_paper():
    # Lazarus, Lewis, Stock and Watson (2018), section 2: t = √T mean / √Ω, Ω the mean of B squared transforms.
    series = 0.1 + noise(150)
    count = frequencies(150, 1)
    variance = (fft.dct(series, type=2, norm="ortho")[1 : count + 1] ** 2).mean()
    found = session_mean(series, 1)
    t = math.sqrt(150) * series.mean() / math.sqrt(variance)
    assert found.degrees == pytest.approx(count, rel=1e-9)
    assert found.t == pytest.approx(t, rel=1e-9)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(t), count), rel=1e-9)
    half = stats.t.ppf(0.975, count) * math.sqrt(variance / 150)
    assert found.bounds == pytest.approx((series.mean() - half, series.mean() + half), rel=1e-9)


@pytest.mark.parametrize(("sessions", "horizon", "steps"), [(60, 20, 20), (150, 10, 20), (150, 10, 7), (40, 1, 0)])
def test_the_correction_is_that_of_explicit_matrices(sessions, horizon, steps):
    lag = np.abs(np.arange(sessions)[:, None] - np.arange(sessions))
    covariance = np.where(lag == 0, 1.0, steps / 20 * np.maximum(1 - lag / horizon, 0))
    cosines = module._cosines(sessions, frequencies(sessions, horizon))
    found = cosines.T @ covariance @ cosines
    count = cosines.shape[1]
    share, degrees = module._overlap(sessions, horizon, steps)
    assert share == pytest.approx(np.trace(found) / count / (covariance.sum() / sessions), rel=1e-9)
    assert degrees == pytest.approx(np.trace(found) ** 2 / (found**2).sum(), rel=1e-9)


def test_interval_and_p_value_agree():
    for seed in range(40):
        found = session_mean(0.3 + overlapping(120, 5, seed), 5)
        low, high = found.bounds
        assert (found.p < 0.05) == (not low <= 0 <= high)


def test_a_series_that_overlaps_less_than_its_targets_is_widened_less():
    apart, together = noise(200), overlapping(200, 20, 1)
    assert module._model_share(apart - apart.mean(), 20) < 7
    assert module._model_share(together - together.mean(), 20) == 20
    share = session_mean(apart, 20).error / (apart.std() / math.sqrt(200))
    assert 0.5 < share < 1.5


def test_a_mean_of_means_takes_each_series_over_its_own_sessions():
    series = noise(80, 2)
    series[-19:, 1] = np.nan
    found = session_mean(series, 20)
    assert found.value == pytest.approx((series[:, 0].mean() + series[:61, 1].mean()) / 2)
    alone = session_mean(series[:, 0], 1)
    assert 0.4 * alone.error < found.error < 1.6 * alone.error
    both = session_mean(np.stack([series[:, 0], series[:, 0]], axis=1), 1)
    assert both.bounds == pytest.approx(alone.bounds, rel=1e-9)


def test_a_missing_session_keeps_its_place_in_time():
    series = overlapping(100, 5, 3)
    holes = series.copy()
    holes[[20, 60]] = np.nan
    assert session_mean(holes, 5).error == pytest.approx(session_mean(series, 5).error, rel=0.1)
    assert session_mean(holes, 5).error != session_mean(holes[~np.isnan(holes)], 5).error
    padded = np.concatenate([[np.nan] * 3, series, [np.nan] * 7])
    assert session_mean(padded, 5) == session_mean(series, 5)


@pytest.mark.parametrize("series", [[], [np.nan] * 30])
def test_nothing_has_no_mean(series):
    found = session_mean(np.array(series), 1)
    assert all(math.isnan(number) for number in (found.value, found.error, *found.bounds, found.t, found.p))


def test_a_constant_has_an_interval_without_width_and_no_test():
    found = session_mean(np.full(30, 0.5), 1)
    assert found.bounds == (0.5, 0.5)
    assert math.isnan(found.t)
    assert math.isnan(found.p)


def test_no_interval_over_no_more_sessions_than_one_horizon():
    assert all(math.isnan(bound) for bound in session_mean(noise(20), 20).bounds)
    assert all(math.isfinite(bound) for bound in session_mean(noise(21), 20).bounds)


@pytest.mark.slow
@pytest.mark.parametrize("sessions", [60, 146, 250, 500])
@pytest.mark.parametrize("persistence", [0.0, 0.9, 0.99, 1.0])
def test_noise_is_significant_once_in_twenty(sessions, persistence):
    trials = 1000
    series_NTH = rank_ics_of_noise(trials, sessions, persistence)
    most = 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)
    for h, horizon in enumerate(HORIZONS):
        p = np.array([session_mean(series_T, horizon).p for series_T in series_NTH[..., h]])
        assert 0.01 < (p < 0.05).mean() < most, horizon
    bounds = [session_mean(series_TH, max(HORIZONS)).bounds for series_TH in series_NTH]
    assert 0.01 < np.mean([not low <= 0 <= high for low, high in bounds]) < most
