"""Pure noise through the whole evaluation: false positive rates."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gogooku3.evaluation.evaluate import evaluate
from gogooku3.evaluation.portfolio import trade
from gogooku3.evaluation.weights import score_weights
from gogooku3.metrics.sharpe_significance import TrackRecord, Trials

from .conftest import BOOTSTRAP, PARAMS, calm, forward_returns, outcome_of, prices_after, sessions_of, traded_with

SEEDS, T, S = 200, 165, 30
HORIZONS = (1, 5, 10, 20)
FREE = replace(traded_with(PARAMS, cost_bps=0.0), bootstrap=replace(BOOTSTRAP, mean_block=10))


def returns_of(rng: np.random.Generator) -> np.ndarray:
    """Returns with a common component and fat tails, which no score can predict."""
    common_T1, own_TS = rng.standard_normal((T, 1)), rng.standard_t(5, (T, S))
    return 0.01 * (common_T1 + own_TS)


def persistent(rng: np.random.Generator, keep: float) -> np.ndarray:
    """Autocorrelated scores, as from slowly changing features."""
    scores_TS = rng.standard_normal((T, S))
    for t in range(1, T):
        scores_TS[t] = keep * scores_TS[t - 1] + math.sqrt(1 - keep**2) * scores_TS[t]
    return scores_TS


@pytest.fixture(scope="module")
def tables() -> list[dict[str, Any]]:
    made = []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        targets_TSH = forward_returns(returns_of(rng), HORIZONS)
        scores_TSH = np.repeat(persistent(rng, 0.95)[..., None], len(HORIZONS), axis=2)
        made.append(evaluate(scores_TSH, outcome_of(targets_TSH, HORIZONS), FREE).metrics)
    return made


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [("sharpe",), ("mean_rank_ic",), *(("rank_ic", str(h)) for h in HORIZONS), *(("ic", str(h)) for h in HORIZONS)],
)
def test_intervals_cover_zero_nineteen_times_in_twenty(tables, path):
    covered = 0
    for table in tables:
        estimate = table
        for name in path:
            estimate = estimate[name]
        covered += estimate["low"] <= 0 <= estimate["high"]
    assert abs(covered / SEEDS - 0.95) < 3 * math.sqrt(0.95 * 0.05 / SEEDS)


@pytest.mark.slow
def test_half_of_the_stocks_are_hit_and_one_seed_in_twenty_seems_skilled(tables):
    assert abs(np.mean([table["hit_rate"] for table in tables]) - 0.5) < 0.005
    seems = np.mean([table["sharpe"]["probabilistic"] > 0.95 for table in tables])
    assert abs(seems - 0.05) < 3 * math.sqrt(0.05 * 0.95 / SEEDS)


@pytest.mark.slow
def test_the_best_of_fifty_experiments_is_not_significant_though_it_looks_it():
    """One market and fifty sets of scores: the best one, its probabilistic and its deflated Sharpe ratio."""
    best = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        market_state = calm(T, S, prices_after(forward_returns(returns_of(rng), (1,))[..., 0]))
        records = []
        for _ in range(50):
            wanted_TS = score_weights(persistent(rng, 0.9), market_state.sectors, FREE.portfolio)
            records.append(TrackRecord.of(trade(wanted_TS, market_state, sessions_of(T), FREE.portfolio).net_U))
        best.append(max(records, key=lambda record: record.ratio))
    assert np.mean([record.ratio * math.sqrt(252) for record in best]) > 2
    assert np.mean([record.probabilistic() > 0.95 for record in best]) > 0.9
    assert np.mean([record.deflated(Trials(50)) > 0.95 for record in best]) <= 0.1
    assert np.mean([record.trials_survived >= 50 for record in best]) <= 0.1
