"""The numbers beside the headline metrics: their relations to the metrics, and to independent computations."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import empyrical
import numpy as np
import pandas as pd
import pytest

from gogooku3.evaluation.details import ROLLING, details
from gogooku3.evaluation.evaluate import Evaluation, Outcome, evaluate
from gogooku3.evaluation.market_state import MarketState
from gogooku3.metrics.ranking import rank_ic

from .conftest import PARAMS, calm, market, outcome_of

SESSIONS, STOCKS, BEFORE = 120, 45, 60


def case(strength: float = 0.2) -> tuple[np.ndarray, Outcome, MarketState]:
    """Scores, their outcome with an index that varies, and the market state from 60 sessions before."""
    scores_TSH, targets_TSH = market(strength=strength, sessions=SESSIONS, stocks=STOCKS)
    rng = np.random.default_rng(9)
    every = replace(
        calm(BEFORE + SESSIONS, STOCKS),
        sectors=("A",) * 20 + ("B",) * 20 + ("C",) * 5,
        close_TS=100 * np.cumprod(1 + 0.01 * rng.standard_normal((BEFORE + SESSIONS, STOCKS)), axis=0),
        traded_value_TS=np.tile(np.linspace(1e7, 1e9, STOCKS), (BEFORE + SESSIONS, 1)),
        next_index_return_T=np.append(0.01 * rng.standard_normal(BEFORE + SESSIONS - 1), np.nan),
    )
    outcome = outcome_of(targets_TSH)
    inside = slice(BEFORE, BEFORE + SESSIONS)
    state = replace(
        outcome.market_state,
        sectors=every.sectors,
        close_TS=every.close_TS[inside],
        traded_value_TS=every.traded_value_TS[inside],
        next_index_return_T=every.next_index_return_T[inside],
    )
    outcome = replace(outcome, market_state=state)
    return scores_TSH, outcome, every


@pytest.fixture(scope="module")
def measured() -> tuple[Evaluation, dict[str, Any], Outcome, np.ndarray]:
    scores_TSH, outcome, history = case()
    evaluation = evaluate(scores_TSH, outcome, PARAMS)
    return evaluation, details(evaluation, scores_TSH, outcome, history, PARAMS), outcome, scores_TSH


def test_the_values_of_the_metrics_get_intervals(measured: Any) -> None:
    evaluation, found, _, _ = measured
    metrics, returns = evaluation.metrics, found["returns"]
    for name in ("annual_return", "annual_volatility", "max_drawdown", "turnover", "capacity"):
        assert returns[name]["value"] == pytest.approx(metrics[name], rel=1e-12)
    for name in ("beta", "alpha"):
        assert found["index"][name]["value"] == pytest.approx(metrics["exposure"]["market"][name], rel=1e-9)
    for cell in (*returns.values(), *found["index"].values()):
        assert cell["low"] <= cell["value"] <= cell["high"]
    assert returns["max_drawdown"]["high"] <= 0


def test_excess_over_the_index_is_that_of_empyrical(measured: Any) -> None:
    evaluation, found, outcome, _ = measured
    net_U, index_U = evaluation.portfolio.net_U, outcome.market_state.next_index_return_T[evaluation.portfolio.rows]
    ratio = empyrical.excess_sharpe(pd.Series(net_U), pd.Series(index_U))
    cells = found["index"]
    assert cells["information_ratio"]["value"] == pytest.approx(ratio * np.sqrt(252), rel=1e-9)
    assert cells["annual_excess_return"]["value"] == pytest.approx(252 * (net_U - index_U).mean(), rel=1e-12)
    quotient = cells["annual_excess_return"]["value"] / cells["tracking_error"]["value"]
    assert quotient == pytest.approx(cells["information_ratio"]["value"], rel=1e-9)


def test_the_series_end_with_the_track(measured: Any) -> None:
    evaluation, found, outcome, _ = measured
    net_U, dates_U = evaluation.portfolio.net_U, outcome.sessions[evaluation.portfolio.rows]
    rolling = found["rolling"]
    assert len(rolling["dates"]) == len(rolling["sharpe"]) == len(rolling["beta"]) == len(net_U) - ROLLING + 1
    assert rolling["dates"][-1] == str(dates_U[-1])
    assert rolling["sharpe"][-1] == pytest.approx(empyrical.sharpe_ratio(pd.Series(net_U[-ROLLING:])), rel=1e-9)
    assert sum(found["histogram"]["counts"]) == len(net_U)
    assert found["drawdowns"][0]["depth"] == pytest.approx(evaluation.metrics["max_drawdown"], rel=1e-12)
    assert found["months"]["months"] == len(found["months"]["grid"])


def test_the_ratio_of_the_ic_and_the_spread_agree_with_the_metrics(measured: Any) -> None:
    evaluation, found, _, _ = measured
    for horizon in ("1", "5"):
        series = evaluation.sessions[f"rank_ic_{horizon}"].drop_nans().to_numpy()
        assert found["rank_icir"][horizon]["value"] == pytest.approx(series.mean() / series.std(ddof=1), rel=1e-12)
        means = evaluation.quantiles.filter(horizon=int(horizon))["mean_return"].to_list()
        cell = found["quantiles"][horizon]
        assert cell["means"] == means
        assert cell["spread"]["value"] == pytest.approx(means[-1] - means[0], rel=1e-9)
        assert cell["spread"]["low"] < cell["spread"]["value"] < cell["spread"]["high"]
        assert found["fama_macbeth"][horizon]["sessions"] == len(series)
    # The scores know the next return alone.
    by_lag = {row["lag"]: row for row in found["ic_decay"]}
    assert by_lag[0]["low"] > 0.1
    assert all(abs(by_lag[lag]["value"]) < 0.05 for lag in (1, 2, 5, 10, 20))
    assert found["fama_macbeth"]["1"]["t"] > 5


def test_groups_have_the_rank_ic_of_their_stocks(measured: Any) -> None:
    _, found, outcome, scores_TSH = measured
    own_T = rank_ic(scores_TSH[:, :20, 1], outcome.target(5)[:, :20])
    assert found["rank_ic_by_sector"]["A"]["value"] == pytest.approx(np.nanmean(own_T), rel=1e-12)
    assert found["rank_ic_by_sector"]["A"]["stocks"] == 20
    too_few = {"value": None, "low": None, "high": None, "sessions": 0, "stocks": 5}
    assert found["rank_ic_by_sector"]["C"] == too_few
    largest_T = rank_ic(scores_TSH[:, 30:, 1], outcome.target(5)[:, 30:])
    assert found["rank_ic_by_size"]["large"]["value"] == pytest.approx(np.nanmean(largest_T), rel=1e-12)
    assert list(found["rank_ic_by_size"]) == ["small", "middle", "large"]


def test_constant_scores_have_no_track_and_are_written_as_json() -> None:
    scores_TSH, outcome, history = case()
    constant_TSH = np.zeros_like(scores_TSH)
    evaluation = evaluate(constant_TSH, outcome, PARAMS)
    found = details(evaluation, constant_TSH, outcome, history, PARAMS)
    assert "returns" not in found
    assert found["rank_icir"]["5"] == {"value": None, "low": None, "high": None}
    json.dumps(found, allow_nan=False)


def test_an_index_without_a_return_leaves_its_numbers_undefined() -> None:
    scores_TSH, outcome, history = case()
    without = np.full(SESSIONS, np.nan)
    outcome = replace(outcome, market_state=replace(outcome.market_state, next_index_return_T=without))
    found = details(evaluate(scores_TSH, outcome, PARAMS), scores_TSH, outcome, history, PARAMS)
    assert {cell["value"] for cell in found["index"].values()} == {None}
    assert set(found["rolling"]["beta"]) == {None}
    assert found["factors"]["betas"]["market"] is None
    assert found["factors"]["betas"]["size"] is not None
    json.dumps(found, allow_nan=False)
