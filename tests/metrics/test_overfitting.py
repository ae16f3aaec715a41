from __future__ import annotations

import math

import numpy as np
import pytest

from gogooku3.metrics.overfitting import overfitting_probability


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("sharpe", [False, True])
def test_selection_among_noise_is_overfitting_half_of_the_time(sharpe):
    found = [overfitting_probability(noise(96, 12, seed=s), 12, sharpe=sharpe) for s in range(60)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("sharpe", [False, True])
def test_a_trial_that_is_the_best_throughout_is_not_overfitted(sharpe):
    values = noise(96, 12)
    values[:, 4] += 5
    assert overfitting_probability(values, 12, sharpe=sharpe) == 0


def test_a_trial_that_lives_off_one_half_is_overfitted():
    # Each trial is good in one block of eight and bad in all others: the best inside is bad outside.
    values = 0.01 * noise(96, 8) - 1
    for trial in range(8):
        values[12 * trial : 12 * trial + 12, trial] += 20
    assert overfitting_probability(values, 12) == 1


def test_it_equals_the_papers_procedure_written_out():
    # Bailey et al. (2015), section 3: matrices J and its complement, relative rank ω of the best inside, logit ≤ 0.
    from itertools import combinations

    values = noise(40, 5, seed=3)
    blocks = np.split(values, 4)
    logits = []
    for chosen in combinations(range(4), 2):
        inside = np.concatenate([blocks[b] for b in chosen])
        outside = np.concatenate([blocks[b] for b in range(4) if b not in chosen])
        performance = [part.mean(axis=0) / part.std(axis=0) for part in (inside, outside)]
        rank = (performance[1] <= performance[1][performance[0].argmax()]).sum() / 6
        logits.append(math.log(rank / (1 - rank)))
    expected = np.mean([0.5 if abs(x) < 1e-12 else x < 0 for x in logits])
    assert overfitting_probability(values, 10, sharpe=True) == pytest.approx(expected)


def test_too_little_has_no_probability():
    assert math.isnan(overfitting_probability(noise(100, 1), 1))
    assert math.isnan(overfitting_probability(noise(60, 5), 20))
    assert not math.isnan(overfitting_probability(noise(80, 5), 20))


def test_sessions_that_a_trial_lacks_are_left_out():
    values = noise(64, 6)
    padded = np.insert(values, 10, np.nan, axis=0)
    assert overfitting_probability(padded, 8) == overfitting_probability(values, 8)
