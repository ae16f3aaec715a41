"""Baseline comparison: the same evaluation for each baseline, and the model minus the baseline with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gogooku3.config.evaluation import Measures as Params
from gogooku3.evaluation.evaluate import Evaluation, Outcome, evaluate, portfolio_metrics, portfolio_sessions
from gogooku3.evaluation.portfolio import trade
from gogooku3.evaluation.weights import equal_weights
from gogooku3.metrics.paired_difference import paired_differences

EQUAL_WEIGHT = "equal_weight"
"""The baseline without scores: an equal-weight, long-only portfolio of all stocks that the model scores."""

_SHOWN = (
    *("sharpe", "annual_return", "annual_volatility", "max_drawdown", "turnover", "capacity"),
    *("rank_ic", "ic", "mean_rank_ic"),
)
"""Keys of `Evaluation.metrics` that are reported for a baseline."""


def compare_with_baselines(
    model: Evaluation,
    scores_TSH: NDArray[np.floating],
    baselines: Mapping[str, NDArray[np.floating]],
    outcome: Outcome,
    params: Params,
    smoothed: Mapping[str, tuple[float, NDArray[np.floating]]] | None = None,
) -> tuple[dict[str, Any], pl.DataFrame]:
    """Evaluates the baselines in the same way as the model.

    Args:
        model: the model's evaluation.
        scores_TSH: the model's scores.
        baselines: scores by name, in the layout of the model's.
        outcome: the targets that the model was evaluated on.
        params: the parameters that the model was evaluated with.
        smoothed: by baseline that trades more than the model, the decay of its exponential moving average and the
            smoothed scores (`gogooku3.evaluation.equal_turnover`).

    Returns:
        For JSON, by baseline: its metrics, under `model_less_this` the `paired_differences` model minus baseline, and
        for a smoothed one under `at_equal_turnover` its `decay`, `turnover`, `sharpe`, and the model's Sharpe ratio
        minus its as `model_less_this`; and the curves `Date`, `track`, `cumulative_net` of the model and of each
        baseline.
    """
    evaluations = {name: evaluate(scores, outcome, params) for name, scores in baselines.items()}
    tables = {name: evaluation.metrics for name, evaluation in evaluations.items()}
    tracks = {name: evaluation.sessions for name, evaluation in evaluations.items()}
    portfolio = trade(equal_weights(scores_TSH[..., 0]), outcome.market_state, outcome.sessions, params.portfolio)
    tables[EQUAL_WEIGHT] = portfolio_metrics(portfolio, outcome, params)
    tracks[EQUAL_WEIGHT] = portfolio_sessions(portfolio, outcome)
    table = {
        name: {key: metrics[key] for key in _SHOWN if key in metrics}
        | {"model_less_this": paired_differences(model.sessions, tracks[name], params.bootstrap)}
        for name, metrics in tables.items()
    }
    for name, (decay, scores) in (smoothed or {}).items():
        table[name]["at_equal_turnover"] = _smoothed(model, decay, evaluate(scores, outcome, params), params)
    return table, _curves({"model": model.sessions} | tracks)


def _smoothed(model: Evaluation, decay: float, smoothed: Evaluation, params: Params) -> dict[str, Any]:
    return {
        "decay": decay,
        "turnover": smoothed.metrics["turnover"],
        "sharpe": {name: smoothed.metrics["sharpe"][name] for name in ("value", "low", "high")},
        "model_less_this": paired_differences(model.sessions, smoothed.sessions, params.bootstrap)["sharpe"],
    }


def _curves(tracks: dict[str, pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(
        track.select("Date", pl.lit(name).alias("track"), "cumulative_net").drop_nans("cumulative_net")
        for name, track in tracks.items()
    )
