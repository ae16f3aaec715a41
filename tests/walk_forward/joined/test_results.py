"""Evaluation of the joined series: one portfolio over all folds, its baselines, and fold by fold."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gogooku3.config.evaluation import Bootstrap, Measures, Portfolio
from gogooku3.errors import DataError
from gogooku3.evaluation.evaluate import Outcome, evaluate
from gogooku3.evaluation.market import market_state_of
from gogooku3.metrics.returns import sharpe
from gogooku3.walk_forward.joined.results import Results, measure
from gogooku3.walk_forward.joined.series import join
from gogooku3.walk_forward.plan import Fold

from ..conftest import FOLDS, Market

PARAMS = Measures(
    Portfolio(5, 1, 5.0, 50.0, 0.3, None, False, 0.05, 0.0, None, 0.0, "all", 4, 5), 5, Bootstrap(200, 5, 0)
)


def measured(market: Market, folder: Path, folds: list[Fold] = FOLDS) -> Results:
    series = join(market.panel, folds, *market.write(folder, folds))
    return measure(market.panel, market.quotes, folds, series, PARAMS)


@pytest.fixture(scope="module")
def results(market: Market, tmp_path_factory: pytest.TempPathFactory) -> Results:
    return measured(market, tmp_path_factory.mktemp("folds"))


def test_folds_of_one_model_evaluate_like_the_model_on_all_sessions(market: Market, results: Results) -> None:
    """Positions are kept across the fold boundary: with a turnover limit, restarting in fold 2 would show."""
    panel, rows = market.panel, slice(65, 125)
    conditions = market_state_of(panel, market.quotes, 65, 124)
    whole = evaluate(
        market.scores["model"][rows],
        Outcome(panel.y_TSH[rows], panel.sessions[rows], panel.horizons, conditions),
        PARAMS,
    )
    assert {name: results.metrics[name] for name in whole.metrics} == whole.metrics
    assert results.evaluation.sessions.equals(whole.sessions, null_equal=True)
    assert results.metrics["gaps"] == []
    assert json.loads(json.dumps(results.metrics, allow_nan=False)) == results.metrics


def test_each_fold_is_evaluated_on_its_own_sessions(market: Market, results: Results) -> None:
    days = market.panel.sessions
    track = results.evaluation.sessions
    assert [fold["fold"] for fold in results.metrics["folds"]] == [1, 2]
    for row, fold in zip(results.metrics["folds"], FOLDS, strict=True):
        first, last = fold.spans["test"]
        assert row["test"] == {"first": str(days[first]), "last": str(days[last]), "sessions": 30}
        own = track.filter(pl.col("Date").is_between(days[first].item(), days[last].item()))
        assert row["sharpe"]["value"] == pytest.approx(float(sharpe(own["net"].drop_nans().to_numpy())), rel=1e-12)
        means = [own[f"rank_ic_{h}"].drop_nans().mean() for h in (1, 5)]
        assert row["mean_rank_ic"]["value"] == pytest.approx(np.mean(means), rel=1e-12)
        gain = row["mean_rank_ic"]["value"] - row["baselines"]["lightgbm"]
        assert row["model_less_lightgbm"]["value"] == pytest.approx(gain, rel=1e-9)
        assert row["model_less_lightgbm"]["low"] < gain < row["model_less_lightgbm"]["high"]
        validation = FOLDS[row["fold"] - 1].rows("validation")
        assert -1 < row["validation_rank_ic"] < 1
        assert validation.stop - validation.start == row["validation"]["sessions"]


def test_the_baselines_are_compared_with_the_series(results: Results) -> None:
    names = ["ridge", "lightgbm", "mlp", "ridge_ema", "reversal", "momentum", "equal_weight"]
    assert [each["name"] for each in results.metrics["baselines"]] == names
    for each in results.metrics["baselines"]:
        assert each["model_less_this"]["sessions"] == results.metrics["sessions"] == 59
    assert results.curves["track"].unique(maintain_order=True).to_list() == ["model", *names]
    # The model has twice the signal of ridge and the trees; the factors have none.
    value = {each["name"]: each["mean_rank_ic"]["value"] for each in results.metrics["baselines"][:-1]}
    assert results.metrics["mean_rank_ic"]["value"] > value["lightgbm"] > max(value["reversal"], value["momentum"])
    assert results.folds.height == 2 * 7
    assert results.folds["Date"].unique(maintain_order=True).to_list() == [
        results.metrics["folds"][place]["test"]["first"] for place in (0, 1)
    ]


def test_in_a_gap_the_portfolio_holds_nothing(market: Market, tmp_path: Path) -> None:
    later = Fold(3, {"train": (35, 74), "validation": (80, 94), "test": (105, 134)})
    free = replace(PARAMS, portfolio=replace(PARAMS.portfolio, max_turnover=None))
    series = join(market.panel, [FOLDS[0], later], *market.write(tmp_path, [FOLDS[0], later]))
    found = measure(market.panel, market.quotes, [FOLDS[0], later], series, free)
    # Positions from the last test session would trade a session later, which does not exist.
    backtest = found.evaluation.sessions["gross"].to_numpy()[31:41]
    np.testing.assert_array_equal(backtest, 0.0)
    assert found.metrics["flat_sessions"] == 10
    assert found.metrics["gaps"][0]["sessions"] == 10


def test_a_bar_without_a_score_is_refused(market: Market, tmp_path: Path) -> None:
    holed = market.scores["lightgbm"].copy()
    holed[100, 7] = np.nan
    with pytest.raises(DataError, match=r"1 bars of 1 stocks \(1307\) have no score of lightgbm, the first on"):
        measured(replace(market, scores=market.scores | {"lightgbm": holed}), tmp_path)


def test_targets_that_are_not_the_returns_of_the_bars_are_refused(market: Market, tmp_path: Path) -> None:
    """A label shifted by one session (leakage), in one fold only."""
    y_TSH = market.panel.y_TSH.copy()
    y_TSH[100:110] = y_TSH[101:111]
    with pytest.raises(DataError, match="targets of horizon 1 differ from the returns of the bars"):
        measured(replace(market, panel=replace(market.panel, y_TSH=y_TSH)), tmp_path)
