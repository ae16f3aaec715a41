from __future__ import annotations

import numpy as np
import pytest

from gogooku3.evaluation.baseline_comparison import compare_with_baselines
from gogooku3.evaluation.equal_turnover import matching_decay
from gogooku3.evaluation.evaluate import evaluate
from gogooku3.metrics.smoothing import smooth

from .conftest import PARAMS, market, outcome_of, traded_with

TRADED = traded_with(PARAMS, horizon=1, delay=1, cost_bps=5.0)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def test_a_restless_baseline_is_smoothed_to_the_models_turnover():
    scores, targets = market(strength=0.3)
    outcome = outcome_of(targets)
    slow = evaluate(smooth(scores, 0.8), outcome, TRADED).metrics["turnover"]
    rival = scores + noise(*scores.shape, seed=2)
    decay = matching_decay(rival, slow, outcome, TRADED)
    assert 0 < decay < 0.98
    assert evaluate(smooth(rival, decay), outcome, TRADED).metrics["turnover"] == pytest.approx(slow, rel=0.011)


def test_a_calm_baseline_stays_as_it_is_and_no_average_is_slower_than_the_slowest():
    scores, targets = market(strength=0.3)
    outcome = outcome_of(targets)
    assert matching_decay(smooth(scores, 0.9), 1.0, outcome, TRADED) == 0
    assert matching_decay(noise(*scores.shape), 1e-6, outcome, TRADED) == 0.98


def test_the_comparison_at_equal_turnover_is_that_of_the_smoothed_scores():
    scores, targets = market(strength=0.3)
    outcome = outcome_of(targets)
    rival = scores + noise(*scores.shape, seed=2)
    model = evaluate(scores, outcome, TRADED)
    table, _ = compare_with_baselines(
        model, scores, {"rival": rival}, outcome, TRADED, {"rival": (0.6, smooth(rival, 0.6))}
    )
    entry, alone = table["rival"]["at_equal_turnover"], evaluate(smooth(rival, 0.6), outcome, TRADED).metrics
    assert entry["decay"] == 0.6
    assert entry["turnover"] == alone["turnover"] < table["rival"]["turnover"]
    assert entry["sharpe"] == {name: alone["sharpe"][name] for name in ("value", "low", "high")}
    expected = model.metrics["sharpe"]["value"] - alone["sharpe"]["value"]
    assert entry["model_less_this"]["value"] == pytest.approx(expected)
    assert entry["model_less_this"]["low"] < expected < entry["model_less_this"]["high"]
