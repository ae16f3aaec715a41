from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from arch.bootstrap import StationaryBootstrap
from scipy import stats

from gogooku3.config.evaluation import Bootstrap
from gogooku3.metrics import bootstrap
from gogooku3.metrics.returns import sharpe


def mean(resampled: np.ndarray) -> np.ndarray:
    return resampled.mean(axis=-1)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def overlapping(series: int, sessions: int, horizon: int, seed: int) -> np.ndarray:
    """Means of noise over `horizon` sessions, as targets of that horizon give them: [series, sessions]."""
    window = np.ones(horizon) / horizon
    return np.array([np.convolve(x, window, "valid") for x in noise(series, sessions + horizon - 1, seed=seed)])


def test_bootstrap_draws_are_pinned_by_the_seed():
    first = bootstrap.stationary_bootstrap(12, 2, 4, seed=0)
    assert first.tolist() == [
        [0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0],
        [6, 7, 10, 11, 0, 1, 2, 5, 6, 7, 8, 9],
    ]
    np.testing.assert_array_equal(bootstrap.stationary_bootstrap(12, 2, 4, seed=0), first)
    assert (bootstrap.stationary_bootstrap(12, 2, 4, seed=1) != first).any()
    assert (bootstrap.stationary_bootstrap(12, 2, 4, seed=-1) != first).any()


def test_blocks_have_geometric_length_run_round_the_end_and_start_anywhere():
    sessions, mean_block = 50, 5
    index = bootstrap.stationary_bootstrap(sessions, 4000, mean_block, seed=3)
    assert index.min() == 0
    assert index.max() == sessions - 1
    step = (index[:, 1:] - index[:, :-1]) % sessions
    # By chance, a new block continues the old one with probability 1 / `sessions`.
    goes_on = (step == 1).mean()
    expected = 1 - (1 - 1 / sessions) / mean_block
    assert abs(goes_on - expected) < 4 * math.sqrt(expected * (1 - expected) / step.size)
    wraps = index[:, 1:][index[:, :-1] == sessions - 1]
    assert (wraps == 0).mean() > 0.7
    counts = np.bincount(index.ravel(), minlength=sessions)
    np.testing.assert_allclose(counts / index.size, 1 / sessions, rtol=0.1)


def test_blocks_of_one_session_are_the_ordinary_bootstrap():
    index = bootstrap.stationary_bootstrap(30, 3000, 1, seed=0)
    follows = ((index[:, 1:] - index[:, :-1]) % 30 == 1).mean()
    assert abs(follows - 1 / 30) < 0.003


@pytest.mark.parametrize("block", [1, 5, 20])
def test_a_resampled_mean_varies_as_that_of_another_implementation(block):
    series = overlapping(1, 150, 10, seed=2)[0]
    ours = series[bootstrap.stationary_bootstrap(150, 4000, block, seed=0)].mean(axis=1)
    theirs = StationaryBootstrap(block, series, seed=1).apply(lambda x: np.array([x.mean()]), 4000).ravel()
    assert ours.std() == pytest.approx(theirs.std(), rel=0.05)
    np.testing.assert_allclose(np.quantile(ours, [0.025, 0.975]), np.quantile(theirs, [0.025, 0.975]), rtol=0.1)


@pytest.mark.parametrize("block", [1, 5, 20])
def test_the_variance_that_the_widening_reckons_with_is_that_of_resampled_means(block):
    series = overlapping(1, 60, 5, seed=1)[0]
    row = bootstrap._circulant(60, block)
    weights = row[np.abs(np.arange(60)[:, None] - np.arange(60))]
    expected = series @ weights @ series
    assert series[bootstrap.stationary_bootstrap(60, 20000, block, seed=0)].mean(axis=1).var() == pytest.approx(
        expected, rel=0.04
    )


@pytest.mark.parametrize(("sessions", "horizon", "block"), [(40, 1, 5), (40, 8, 8), (30, 8, 16)])
def test_the_widening_equals_that_of_explicit_matrices(sessions, horizon, block):
    """tr(AS) and 2 tr(ASAS) with the matrices written out; the mean's true variance is that of S."""
    lag = np.abs(np.arange(sessions)[:, None] - np.arange(sessions))
    overlap = np.maximum(1 - lag / horizon, 0)
    product = bootstrap._circulant(sessions, block)[lag] @ overlap
    found, spread = np.trace(product), 2 * np.trace(product @ product)
    expected = stats.t.ppf(0.975, 2 * found**2 / spread) / stats.norm.ppf(0.975)
    expected /= math.sqrt(found / (overlap.sum() / sessions**2))
    assert bootstrap.widening(sessions, horizon, block) == pytest.approx(expected, rel=1e-9)


def test_blocks_of_one_session_are_widened_by_little():
    # One degree of freedom less, and Student's quantile replaces the normal one.
    expected = math.sqrt(400 / 399) * stats.t.ppf(0.975, 399) / stats.norm.ppf(0.975)
    assert bootstrap.widening(400, 1, 1) == pytest.approx(expected, rel=1e-9)


def test_blocks_widen_the_interval_of_a_persistent_series():
    series = overlapping(1, 1000, 20, seed=0)[0]
    narrow = np.diff(bootstrap.interval(series, mean, Bootstrap(1000, 1, 0), 1))[0]
    wide = np.diff(bootstrap.interval(series, mean, Bootstrap(1000, 1, 0), 20))[0]
    # The mean's true standard error is √20 times that of independent values.
    assert 3.5 < wide / narrow < 1.4 * math.sqrt(20)


@pytest.mark.parametrize(("sessions", "horizon"), [(164, 1), (161, 5), (156, 10), (146, 20), (60, 20), (300, 20)])
def test_intervals_of_noise_with_overlapping_targets_cover_zero_nineteen_times_in_twenty(sessions, horizon):
    """A short test split: plain percentiles would undercover."""
    trials = 400
    params = Bootstrap(draws=300, mean_block=10, seed=0)
    covered = plain = 0
    for series in overlapping(trials, sessions, horizon, seed=horizon):
        low, high = bootstrap.interval(series, mean, params, horizon)
        covered += low <= 0 <= high
        width, value = bootstrap.widening(sessions, horizon, max(10, horizon)), series.mean()
        plain += value + (low - value) / width <= 0 <= value + (high - value) / width
    margin = 3 * math.sqrt(0.95 * 0.05 / trials)
    assert abs(covered / trials - 0.95) < margin
    if horizon == 20 and sessions < 200:
        assert plain / trials < 0.82


def test_intervals_of_a_sharpe_ratio_cover_a_true_one_with_fat_tails():
    trials, true = 400, 1.5
    params = Bootstrap(draws=300, mean_block=10, seed=0)
    covered = 0
    for seed in range(trials):
        returns = 0.01 * stats.t(5).rvs(250, random_state=seed) / math.sqrt(5 / 3)
        returns += 0.01 * true / math.sqrt(252)
        low, high = bootstrap.interval(returns, sharpe, params, 1)
        covered += low <= true <= high
    assert abs(covered / trials - 0.95) < 3 * math.sqrt(0.95 * 0.05 / trials)


def test_missing_sessions_are_left_out_of_an_interval():
    series, params = noise(40), Bootstrap(200, 3, 0)
    holes = np.insert(series, [3, 17, 17], np.nan)
    assert bootstrap.interval(holes, mean, params, 1) == bootstrap.interval(series, mean, params, 1)


def test_rows_of_several_series_are_drawn_together():
    series, params = noise(60), Bootstrap(200, 3, 0)
    pair = np.stack([series + 5, series], axis=1)
    low, high = bootstrap.interval(pair, lambda x: (x[..., 0] - x[..., 1]).mean(axis=-1), params, 1)
    assert low == pytest.approx(5, abs=1e-12)
    assert high == pytest.approx(5, abs=1e-12)


def test_short_blocks_are_lengthened_to_the_horizon():
    series = overlapping(1, 100, 8, seed=4)[0]
    found = bootstrap.interval(series, mean, Bootstrap(200, 1, 0), 8)
    assert found == bootstrap.interval(series, mean, Bootstrap(200, 8, 0), 8)
    assert found != bootstrap.interval(series, mean, Bootstrap(200, 9, 0), 8)


@pytest.mark.parametrize("series", [[], [np.nan, np.nan], [0.1] * 20])
def test_no_interval_where_there_is_no_sharpe(series):
    assert all(math.isnan(bound) for bound in bootstrap.interval(np.array(series), sharpe, Bootstrap(100, 2, 0), 1))


def test_no_interval_over_fewer_sessions_than_one_horizon():
    params = Bootstrap(100, 2, 0)
    assert all(math.isnan(bound) for bound in bootstrap.interval(noise(20), mean, params, 20))
    assert all(math.isfinite(bound) for bound in bootstrap.interval(noise(21), mean, params, 20))


def test_more_draws_change_an_interval_by_little():
    series = noise(100)
    few, many = (bootstrap.interval(series, mean, replace(Bootstrap(100, 5, 0), draws=d), 1) for d in (2000, 20000))
    np.testing.assert_allclose(few, many, atol=0.03)
