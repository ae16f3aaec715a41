from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from gogooku3.metrics.returns import sharpe
from gogooku3.metrics.session_mean import SessionMean, session_mean
from gogooku3.metrics.sharpe_significance import (
    CONFIDENCE,
    MANY_TRIALS,
    TrackRecord,
    Trials,
    deflated_mean,
    expected_maximum_sharpe,
)

UNDEFINED = TrackRecord(math.nan, 30, math.nan, math.nan)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def test_the_moments_are_those_of_scipy():
    returns = 0.1 + stats.t(5).rvs(300, random_state=1)
    record = TrackRecord.of(returns)
    assert record.sessions == 300
    assert record.ratio == pytest.approx(returns.mean() / returns.std(ddof=1), rel=1e-12)
    assert record.skewness == pytest.approx(stats.skew(returns), rel=1e-10)
    assert record.kurtosis == pytest.approx(stats.kurtosis(returns, fisher=False), rel=1e-10)


def test_probabilistic_sharpe_reproduces_the_paper():
    # Bailey and López de Prado (2012): two years of monthly returns, Sharpe ratio 0.458 a month. Taken as normal,
    # the probability of skill is 0.982; with skewness −2.448 and kurtosis 10.164 it is 0.913.
    assert TrackRecord(0.458, 24, 0, 3).probabilistic() == pytest.approx(0.982, abs=5e-4)
    assert TrackRecord(0.458, 24, -2.448, 10.164).probabilistic() == pytest.approx(0.913, abs=5e-4)


@pytest.mark.parametrize(
    ("sessions", "skewness", "kurtosis", "years"),
    [(252, 0, 3, 2.73), (52, 0, 3, 2.83), (12, 0, 3, 3.24), (12, -0.72, 5.78, 4.99)],
)
def test_minimum_track_record_reproduces_the_paper(sessions, skewness, kurtosis, years):
    # Bailey and López de Prado (2012): an annual Sharpe ratio of 2 against 1 at 95 %, of daily, weekly and monthly
    # normal returns, and of monthly ones with the skewness and kurtosis of hedge funds.
    record = TrackRecord(2 / math.sqrt(sessions), 100, skewness, kurtosis)
    assert record.minimum_length(1 / math.sqrt(sessions)) / sessions == pytest.approx(years, abs=5e-3)


def test_at_the_minimum_length_the_probability_is_the_confidence():
    for skewness in (-0.5, 2.0):  # positive skewness makes the variance of the estimate less than 1
        record = TrackRecord(0.1, 1000, skewness, 6.0)
        needed = record.minimum_length(0.02)
        at_length = TrackRecord(record.ratio, round(needed), record.skewness, record.kurtosis)
        assert at_length.probabilistic(0.02) == pytest.approx(CONFIDENCE, abs=1e-3)


@pytest.mark.parametrize("ratio", [0.1, 0.05])
def test_a_ratio_below_the_benchmark_has_no_minimum_track_record(ratio):
    assert math.isnan(TrackRecord(ratio, 100, 0, 3).minimum_length(0.1))


def test_deflated_sharpe_reproduces_the_paper():
    # Bailey and López de Prado (2014): 1250 daily returns, annual Sharpe ratio 2.5 at 250 days a year, skewness −3,
    # kurtosis 10, annual variance of the trials 1/2. Chance gives 0.1132 a day in 100 trials, which leaves a
    # probability of 0.9004; with 46 trials it is 0.9505.
    record = TrackRecord(2.5 / math.sqrt(250), 1250, -3, 10)
    for trials, probability in ((100, 0.9004), (46, 0.9505)):
        assert record.deflated(Trials(trials, variance=0.5 / 250)) == pytest.approx(probability, abs=5e-5)
    assert expected_maximum_sharpe(100, 0.5 / 250) == pytest.approx(0.1132, abs=5e-5)


@pytest.mark.parametrize("trials", [5, 20, 100])
def test_the_expected_maximum_is_that_of_independent_normal_draws(trials):
    simulated = 0.3 * noise(20000, trials).max(axis=1).mean()
    assert expected_maximum_sharpe(trials, 0.09) == pytest.approx(simulated, rel=0.03)


def test_one_trial_deflates_nothing():
    record = TrackRecord.of(0.1 + noise(300))
    assert expected_maximum_sharpe(1, 0.5) == 0
    assert record.deflated(Trials(1, variance=0.5)) == record.probabilistic()


def test_more_trials_ask_for_more():
    record = TrackRecord.of(0.1 + noise(300))
    found = [record.deflated(Trials(count)) for count in (1, 2, 10, 100, 1000)]
    assert sorted(found, reverse=True) == found
    assert len(set(found)) == 5


def test_trials_that_truly_differ_ask_for_more():
    record = TrackRecord.of(0.1 + noise(300))
    found = [record.deflated(Trials(20, variance)) for variance in (1 / 299, 2 / 299, 4 / 299, 8 / 299)]
    assert sorted(found, reverse=True) == found
    assert len(set(found)) == 4


@pytest.mark.parametrize("variance", [0, 0.5 / 299])
def test_few_or_similar_trials_do_not_underestimate_chance(variance):
    record = TrackRecord.of(0.1 + noise(300))
    assert record.deflated(Trials(20, variance)) == record.deflated(Trials(20)) == record.deflated(Trials(20, 1 / 299))


@pytest.mark.parametrize("ratio", [0.1, 0.15, 0.2, 0.25])
def test_it_survives_as_many_trials_as_leave_it_significant(ratio):
    record = TrackRecord(ratio, 300, 0.0, 3.0)
    most = record.trials_survived
    assert record.deflated(Trials(most)) >= CONFIDENCE
    assert most == MANY_TRIALS or record.deflated(Trials(most + 1)) < CONFIDENCE


def test_an_insignificant_ratio_survives_no_trial():
    assert TrackRecord(0.01, 300, 0.0, 3.0).trials_survived == 0
    assert TrackRecord(2.0, 300, 0.0, 3.0).trials_survived == MANY_TRIALS
    assert UNDEFINED.trials_survived == 0


def test_the_best_of_fifty_experiments_on_noise_looks_significant_and_is_not():
    best = []
    for seed in range(300):
        trials = noise(50, 250, seed=seed)
        best.append(TrackRecord.of(trials[np.argmax(sharpe(trials))]))
    deflated = np.array([record.deflated(Trials(50)) for record in best])
    plain = np.array([record.probabilistic() for record in best])
    assert (plain > 0.95).mean() > 0.85
    assert np.mean([record.ratio * math.sqrt(252) for record in best]) > 2
    assert (deflated > 0.95).mean() < 0.1
    assert 0.35 < np.median(deflated) < 0.6


def test_probabilities_do_not_depend_on_the_unit_of_the_returns():
    returns = 0.1 + noise(100)
    small, large = (TrackRecord.of(unit * returns).deflated(Trials(5)) for unit in (1e-9, 1))
    assert small == pytest.approx(large, rel=1e-12)


@pytest.mark.parametrize("returns", [[0.1] * 30, [np.nan] * 30])
def test_nothing_is_known_without_a_sharpe(returns):
    record = TrackRecord.of(np.array(returns))
    assert record.sessions == 30
    for value in (record.ratio, record.probabilistic(), record.deflated(Trials(5)), record.minimum_length()):
        assert math.isnan(value)


def test_no_probability_where_the_moments_leave_no_variance():
    # A two-point distribution with Sharpe ratio 2 / skewness: (1 − skewness · ratio / 2)² = 0.
    assert math.isnan(TrackRecord(1.0, 50, 2.0, 5.0).probabilistic())


def test_a_mean_rank_ic_is_deflated_by_the_expected_maximum_of_noise():
    mean = SessionMean(value=0.05, error=0.02, degrees=12)
    assert deflated_mean(mean, Trials(1)) == pytest.approx(stats.t.cdf(2.5, 12), rel=1e-9)
    chance = expected_maximum_sharpe(30, 0.02**2)
    assert deflated_mean(mean, Trials(30)) == pytest.approx(stats.t.cdf((0.05 - chance) / 0.02, 12), rel=1e-9)
    assert deflated_mean(mean, Trials(30, rank_ic_variance=0.03**2)) < deflated_mean(mean, Trials(30)) < 0.9
    assert math.isnan(deflated_mean(SessionMean(0.05, math.nan, math.nan), Trials(3)))


def test_the_best_mean_of_fifty_noise_trials_is_rarely_significant_once_deflated():
    deflated, plain = [], []
    for seed in range(150):
        trials = noise(50, 150, seed=seed)
        best = session_mean(trials[trials.mean(axis=1).argmax()], 1)
        deflated.append(deflated_mean(best, Trials(50)))
        plain.append(best.p)
    assert (np.array(plain) < 0.05).mean() > 0.3
    assert (np.array(deflated) > 0.95).mean() < 0.1
