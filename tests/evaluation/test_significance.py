from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from gogooku3.evaluation import significance
from gogooku3.evaluation.portfolio import sharpe


def mean(resampled):
    return resampled.mean(axis=-1)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def test_bootstrap_draws_are_pinned_by_the_seed():
    first = significance.stationary_bootstrap(12, 2, 4, seed=0)
    assert first.tolist() == [
        [0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0],
        [6, 7, 10, 11, 0, 1, 2, 5, 6, 7, 8, 9],
    ]
    np.testing.assert_array_equal(significance.stationary_bootstrap(12, 2, 4, seed=0), first)
    assert (significance.stationary_bootstrap(12, 2, 4, seed=1) != first).any()
    assert (significance.stationary_bootstrap(12, 2, 4, seed=-1) != first).any()


def test_blocks_have_geometric_length_run_round_the_end_and_start_anywhere():
    sessions, mean_block = 50, 5
    index = significance.stationary_bootstrap(sessions, 4000, mean_block, seed=3)
    assert index.min() == 0
    assert index.max() == sessions - 1
    step = (index[:, 1:] - index[:, :-1]) % sessions
    # A new block follows on from the old one by chance once in `sessions`.
    goes_on = (step == 1).mean()
    expected = 1 - (1 - 1 / sessions) / mean_block
    assert abs(goes_on - expected) < 4 * math.sqrt(expected * (1 - expected) / step.size)
    wraps = index[:, 1:][index[:, :-1] == sessions - 1]
    assert (wraps == 0).mean() > 0.7
    counts = np.bincount(index.ravel(), minlength=sessions)
    np.testing.assert_allclose(counts / index.size, 1 / sessions, rtol=0.1)


def test_blocks_of_one_session_are_the_ordinary_bootstrap():
    index = significance.stationary_bootstrap(30, 3000, 1, seed=0)
    follows = ((index[:, 1:] - index[:, :-1]) % 30 == 1).mean()
    assert abs(follows - 1 / 30) < 0.003


def test_bootstrap_standard_error_of_independent_returns_is_the_textbook_one():
    series = noise(400)
    low, high = significance.interval(series, mean, 4000, 1, seed=0)
    textbook = 2 * 1.96 * series.std() / math.sqrt(400)
    assert (high - low) / textbook == pytest.approx(1, abs=0.05)
    assert low < series.mean() < high


def test_blocks_widen_the_interval_of_a_persistent_series():
    series = np.convolve(noise(1019), np.ones(20) / 20, "valid")
    narrow = np.diff(significance.interval(series, mean, 1000, 1, seed=0))[0]
    wide = np.diff(significance.interval(series, mean, 1000, 40, seed=0))[0]
    # The mean's true standard error is √20 times that of independent values.
    assert 2.5 < wide / narrow < math.sqrt(20) + 0.5


def test_intervals_of_noise_cover_zero_about_nineteen_times_in_twenty():
    trials = 400
    covered = {"sharpe": 0, "mean": 0}
    for trial, series in enumerate(noise(trials, 300, seed=5)):
        for name, statistic in (("sharpe", sharpe), ("mean", mean)):
            low, high = significance.interval(series, statistic, 400, 2, seed=trial)
            covered[name] += low <= 0 <= high
    margin = 3 * math.sqrt(0.95 * 0.05 / trials)
    for name, hits in covered.items():
        assert abs(hits / trials - 0.95) < margin, name


def test_missing_sessions_are_left_out_of_an_interval():
    series = noise(40)
    holes = np.insert(series, [3, 17, 17], np.nan)
    assert significance.interval(holes, mean, 200, 3, 0) == significance.interval(series, mean, 200, 3, 0)


@pytest.mark.parametrize("series", [[], [np.nan, np.nan], [0.1] * 20])
def test_no_interval_where_there_is_no_sharpe(series):
    assert all(math.isnan(bound) for bound in significance.interval(np.array(series), sharpe, 100, 2, 0))


def test_probabilistic_sharpe_reproduces_the_paper():
    # Bailey and López de Prado (2012): two years of monthly returns, Sharpe ratio 0.458 a month. Taken as normal,
    # the probability of skill is 0.982; with skewness −2.448 and kurtosis 10.164 it is 0.913.
    assert significance.probabilistic_sharpe(0.458, 0, 24, 0, 3) == pytest.approx(0.982, abs=5e-4)
    assert significance.probabilistic_sharpe(0.458, 0, 24, -2.448, 10.164) == pytest.approx(0.913, abs=5e-4)


def test_deflated_sharpe_reproduces_the_paper():
    # Bailey and López de Prado (2014): 1250 daily returns, annual Sharpe ratio 2.5 at 250 days a year, skewness −3,
    # kurtosis 10, annual variance of the trials 1/2. Luck shows 0.1132 a day in 100 trials, which leaves a probability
    # of 0.9004; with 46 trials it is 0.9505.
    for trials, probability in ((100, 0.9004), (46, 0.9505)):
        benchmark = significance.expected_maximum_sharpe(trials, 0.5 / 250)
        found = significance.probabilistic_sharpe(2.5 / math.sqrt(250), benchmark, 1250, -3, 10)
        assert found == pytest.approx(probability, abs=5e-5)
    assert significance.expected_maximum_sharpe(100, 0.5 / 250) == pytest.approx(0.1132, abs=5e-5)


@pytest.mark.parametrize("trials", [5, 20, 100])
def test_the_expected_maximum_is_that_of_independent_normal_draws(trials):
    simulated = 0.3 * noise(20000, trials).max(axis=1).mean()
    assert significance.expected_maximum_sharpe(trials, 0.09) == pytest.approx(simulated, rel=0.03)


def test_one_trial_deflates_nothing():
    assert significance.expected_maximum_sharpe(1, 0.5) == 0
    returns = 0.1 + stats.t(5).rvs(300, random_state=1)
    ratio = returns.mean() / returns.std(ddof=1)
    skewness, kurtosis = stats.skew(returns), stats.kurtosis(returns, fisher=False)
    expected = stats.norm.cdf(ratio * math.sqrt(299) / math.sqrt(1 - skewness * ratio + (kurtosis - 1) / 4 * ratio**2))
    assert significance.deflated_sharpe(returns, trials=1) == pytest.approx(expected, rel=1e-12)


def test_more_trials_ask_for_more():
    returns = 0.1 + noise(300)
    found = [significance.deflated_sharpe(returns, trials) for trials in (1, 2, 10, 100, 1000)]
    assert sorted(found, reverse=True) == found
    assert len(set(found)) == 5


def test_the_best_of_many_trials_without_skill_is_not_called_skill():
    best = []
    for seed in range(300):
        trials = noise(50, 250, seed=seed)
        best.append(trials[np.argmax(sharpe(trials))])
    deflated = np.array([significance.deflated_sharpe(series, 50) for series in best])
    probabilistic = np.array([significance.deflated_sharpe(series, 1) for series in best])
    assert (probabilistic > 0.95).mean() > 0.85
    assert (deflated > 0.95).mean() < 0.1
    assert 0.35 < np.median(deflated) < 0.6


def test_probabilities_do_not_depend_on_the_unit_of_the_returns():
    returns = 0.1 + noise(100)
    assert significance.deflated_sharpe(1e-9 * returns, 5) == pytest.approx(
        significance.deflated_sharpe(returns, 5), rel=1e-12
    )


@pytest.mark.parametrize("returns", [[0.1] * 30, [np.nan] * 30])
def test_no_probability_without_a_sharpe(returns):
    assert math.isnan(significance.deflated_sharpe(np.array(returns), 1))


def test_no_probability_where_the_moments_leave_no_variance():
    # A two-point distribution with Sharpe ratio 2 / skewness: (1 − skewness · ratio / 2)² = 0.
    assert math.isnan(significance.probabilistic_sharpe(1.0, 0, 50, 2.0, 5.0))
