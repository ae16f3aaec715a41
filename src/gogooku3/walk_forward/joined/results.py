"""Evaluates the joined out-of-sample series and each of its folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from gogooku3.config.evaluation import Bootstrap, Measures
from gogooku3.evaluation import checks
from gogooku3.evaluation.baseline_comparison import compare_with_baselines
from gogooku3.evaluation.details import details
from gogooku3.evaluation.evaluate import Evaluation, Outcome, evaluate
from gogooku3.evaluation.factors import LOOKBACK
from gogooku3.evaluation.market import market_state_of, oracle_of
from gogooku3.evaluation.plausibility import plausibility
from gogooku3.metrics.bootstrap import interval
from gogooku3.metrics.cross_section import Floats
from gogooku3.metrics.estimate import estimate, mean, number
from gogooku3.metrics.paired_difference import horizons_of, mean_over_horizons
from gogooku3.metrics.ranking import rank_ic
from gogooku3.metrics.returns import SESSIONS_PER_YEAR, sharpe
from gogooku3.panel.panel import Panel
from gogooku3.quotes.schema import Quotes
from gogooku3.walk_forward.joined.series import Series, gaps
from gogooku3.walk_forward.plan import Fold

_RIVAL = "lightgbm"
"""The baseline to which each fold is compared."""


@dataclass(frozen=True, eq=False)
class Results:
    """Results of the joined series and its folds."""

    evaluation: Evaluation
    """Evaluation of the joined series: one portfolio, which keeps its positions across fold boundaries."""
    metrics: dict[str, Any]
    """Metrics of the evaluation, and as lists, which DVC's tables leave out: `gaps`; `baselines`, each with its `name`
    and the result of `compare_with_baselines`; `folds`, each with its sessions, `validation_rank_ic` (mean over the
    horizons on the validation sessions, on which epochs are chosen), and over its test `sharpe`, `annual_return`,
    `turnover`, `mean_rank_ic`, `model_less_lightgbm` (difference of the mean RankIC) and the mean RankIC of the
    `baselines`."""
    curves: pl.DataFrame
    """`Date`, `track`, `cumulative_net`."""
    folds: pl.DataFrame
    """`Date` (first test session of the fold), `fold`, `track`, `mean_rank_ic`."""
    details: dict[str, Any]
    """The other numbers and series of the joined series (`gogooku3.evaluation.details`)."""


def measure(panel: Panel, quotes: Quotes, folds: Sequence[Fold], series: Series, params: Measures) -> Results:
    """Evaluates the series and its baselines like the test split, and each fold separately.

    Raises:
        DataError: as `evaluate`; targets differ from the returns of the bars; a bar of a test session has no score.
    """
    rows = series.rows
    market_state = market_state_of(panel, quotes, rows.start, rows.stop - 1)
    outcome = Outcome(panel.y_TSH[rows], panel.sessions[rows], panel.horizons, market_state)
    checks.require_targets_match_bars(outcome.targets_TSH, panel.horizons, outcome.sessions, panel.codes, market_state)
    for fold in folds:
        inside = _inside(fold, rows)
        for whose, scores_TSH in {"the model": series.scores_TSH, **series.baselines}.items():
            checks.require_all_stocks_scored(
                whose,
                scores_TSH[inside],
                outcome.sessions[inside],
                panel.codes,
                market_state.rows(inside.start, inside.stop),
            )
    oracle_TSH = oracle_of(panel, quotes)
    oracle_of_series = None if oracle_TSH is None else oracle_TSH[rows]
    evaluation = evaluate(series.scores_TSH, outcome, params, oracle_of_series)
    history = market_state_of(panel, quotes, max(0, rows.start - LOOKBACK), rows.stop - 1)
    beside = details(evaluation, series.scores_TSH, outcome, history, params)
    table, curves = compare_with_baselines(evaluation, series.scores_TSH, series.baselines, outcome, params)
    rank_ics = {name: _rank_ics(scores_TSH, outcome) for name, scores_TSH in series.baselines.items()}
    fold_rows = [
        {**fold.as_json(panel.sessions), "validation_rank_ic": number(series.validation_rank_ic[fold.number].mean())}
        | _of_fold(evaluation.sessions[_inside(fold, rows)], rank_ics, _inside(fold, rows), params.bootstrap)
        for fold in folds
    ]
    metrics = evaluation.metrics | {
        "plausibility": plausibility(evaluation, series.scores_TSH, outcome, params, oracle_of_series),
        "gaps": gaps(folds, panel.sessions),
        "baselines": [{"name": name, **metrics} for name, metrics in table.items()],
        "folds": fold_rows,
    }
    return Results(evaluation, metrics, curves, _tracks(fold_rows), beside)


def _inside(fold: Fold, rows: slice) -> slice:
    """Rows of a fold's test period within the series."""
    return slice(fold.test.start - rows.start, fold.test.stop - rows.start)


def _rank_ics(scores_TSH: Floats, outcome: Outcome) -> Floats:
    """[T, H] RankIC by session and horizon."""
    return np.stack(
        [rank_ic(scores_TSH[..., h], outcome.targets_TSH[..., h]) for h in range(len(outcome.horizons))], axis=1
    )


def _of_fold(track: pl.DataFrame, rank_ics: dict[str, Floats], inside: slice, bootstrap: Bootstrap) -> dict[str, Any]:
    """Metrics of a fold's part of the series.

    Args:
        track: the fold's rows of `Evaluation.sessions`.
        rank_ics: RankIC by baseline, [T, H] over the whole series.
    """
    horizons = horizons_of(track)
    net_U = track["net"].drop_nans().to_numpy()
    rank_ic_TH = track.select(f"rank_ic_{h}" for h in horizons).to_numpy()
    return {
        "sharpe": estimate(sharpe(net_U), interval(net_U, sharpe, bootstrap, horizon=1)),
        "annual_return": number(mean(net_U) * SESSIONS_PER_YEAR),
        "turnover": number(mean(track["turnover"].to_numpy())),
        "mean_rank_ic": mean_over_horizons(rank_ic_TH, horizons),
        "model_less_lightgbm": mean_over_horizons(rank_ic_TH - rank_ics[_RIVAL][inside], horizons),
        "baselines": {
            name: mean_over_horizons(baseline_TH[inside], horizons)["value"] for name, baseline_TH in rank_ics.items()
        },
    }


def _tracks(folds: Sequence[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"Date": fold["test"]["first"], "fold": fold["fold"], "track": track, "mean_rank_ic": value}
            for fold in folds
            for track, value in {"model": fold["mean_rank_ic"]["value"], **fold["baselines"]}.items()
        ],
        schema={"Date": pl.String, "fold": pl.Int64, "track": pl.String, "mean_rank_ic": pl.Float64},
    ).with_columns(pl.col("mean_rank_ic").fill_null(float("nan")))
