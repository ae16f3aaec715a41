from __future__ import annotations

import math

import numpy as np
import pytest
from arch.bootstrap import SPA

from gogooku3.config.evaluation import Bootstrap
from gogooku3.metrics import superior_ability as module
from gogooku3.metrics.superior_ability import superior_ability

PARAMS = Bootstrap(draws=2000, mean_block=10, seed=0)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize(("seed", "gain"), [(0, 0.0), (1, 0.0), (2, 0.15), (3, 0.25), (4, -0.1)])
def test_it_equals_that_of_arch(seed, gain):
    gains = noise(150, 6, seed=seed)
    gains[:, 2] += gain
    gains[:, 4] -= 0.5
    # arch takes the largest mean, not the largest t-value: the two are the same if all trials vary equally.
    gains /= np.sqrt(module._variance(gains - gains.mean(axis=0), 10))
    theirs = SPA(np.zeros(150), -gains, block_size=10, reps=2000, bootstrap="stationary", studentize=True, seed=5)
    theirs.compute()
    assert superior_ability(gains, PARAMS, 1) == pytest.approx(theirs.pvalues["consistent"], abs=0.035)


def test_the_best_of_many_is_rarely_called_better_on_noise():
    few = Bootstrap(draws=200, mean_block=5, seed=0)
    p = np.array([superior_ability(noise(120, 10, seed=s), few, 1) for s in range(150)])
    assert (p < 0.05).mean() < 0.12
    assert 0.3 < np.median(p) < 0.7


def test_a_better_trial_is_found_among_bad_ones():
    gains = noise(150, 12) - 1
    gains[:, 3] += 1.4
    assert superior_ability(gains, PARAMS, 1) < 0.01


def test_nothing_to_test_has_no_p_value():
    assert math.isnan(superior_ability(np.zeros((50, 3)), PARAMS, 1))
    assert math.isnan(superior_ability(noise(20, 3), PARAMS, 20))
    gains = noise(50, 2)
    assert superior_ability(np.hstack([gains, np.zeros((50, 1))]), PARAMS, 1) == superior_ability(gains, PARAMS, 1)
