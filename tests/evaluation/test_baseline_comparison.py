from __future__ import annotations

import json

import numpy as np
import pytest

from gogooku3.evaluation.baseline_comparison import EQUAL_WEIGHT, compare_with_baselines
from gogooku3.evaluation.evaluate import evaluate
from gogooku3.metrics.returns import sharpe

from .conftest import PARAMS, market, outcome_of, traded_with

FREE = traded_with(PARAMS, horizon=1, delay=0, cost_bps=0.0)


@pytest.fixture(scope="module")
def planted():
    scores, targets = market(strength=0.3)
    outcome = outcome_of(targets)
    rivals = {"weaker": scores + 3 * np.random.default_rng(1).standard_normal(scores.shape), "same": scores.copy()}
    model = evaluate(scores, outcome, FREE)
    return model, rivals, outcome, compare_with_baselines(model, scores, rivals, outcome, FREE)


def test_a_baseline_is_measured_as_the_model_is(planted):
    model, rivals, outcome, (table, _) = planted
    assert list(table) == ["weaker", "same", EQUAL_WEIGHT]
    alone = evaluate(rivals["weaker"], outcome, FREE).metrics
    for key in ("sharpe", "rank_ic", "ic", "mean_rank_ic", "turnover", "max_drawdown", "capacity"):
        assert table["weaker"][key] == alone[key]
        assert table["same"][key] == model.metrics[key]
    assert json.loads(json.dumps(table, allow_nan=False)) == table


def test_the_model_beats_what_is_weaker_and_not_itself(planted):
    table = planted[3][0]
    better = table["weaker"]["model_less_this"]
    assert better["mean_rank_ic"]["low"] > 0
    assert better["sharpe"]["low"] > 0
    model = planted[0].metrics
    assert better["sharpe"]["value"] == pytest.approx(model["sharpe"]["value"] - table["weaker"]["sharpe"]["value"])
    assert table["same"]["model_less_this"]["mean_rank_ic"] == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_equal_weights_earn_the_mean_return_of_the_market(planted):
    _, _, outcome, (table, _) = planted
    mean_T = outcome.target(1)[:-1].mean(axis=1)
    assert table[EQUAL_WEIGHT]["sharpe"]["value"] == pytest.approx(float(sharpe(mean_T)))
    assert table[EQUAL_WEIGHT]["annual_return"] == pytest.approx(252 * mean_T.mean())
    assert "rank_ic" not in table[EQUAL_WEIGHT]
    assert set(table[EQUAL_WEIGHT]["model_less_this"]) == {"sessions", "sharpe"}


def test_every_track_has_its_curve_over_the_same_sessions(planted):
    model, _, _, (_, curves) = planted
    assert curves["track"].unique(maintain_order=True).to_list() == ["model", "weaker", "same", EQUAL_WEIGHT]
    backtest = model.sessions.drop_nans("net")
    assert len(curves) == 4 * len(backtest)
    first = curves.head(len(backtest))
    assert first["cumulative_net"].to_list() == backtest["cumulative_net"].to_list()
