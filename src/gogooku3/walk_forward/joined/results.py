"""What the joined series is worth, and each of its folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from gogooku3.config.evaluation import Bootstrap, Measures
from gogooku3.evaluation import checks
from gogooku3.evaluation.baseline_comparison import compare_with_baselines
from gogooku3.evaluation.evaluate import Evaluation, Outcome, evaluate
from gogooku3.evaluation.market import market_state_of, oracle_of
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
"""The baseline from which each fold's difference is told."""


@dataclass(frozen=True, eq=False)
class Results:
    """Of the series and its folds."""

    evaluation: Evaluation
    """Of all tests as one: one portfolio, which carries its positions over the borders of the folds."""
    metrics: dict[str, Any]
    """Those of the evaluation, and as lists, which DVC's tables leave out: `gaps`; `baselines`, each with its `name`
    and the result of `compare_with_baselines`; `folds`, each with its sessions, `validation_rank_ic` (mean over the
    horizons, of the sessions by which its epochs were chosen), and over its test `sharpe`, `annual_return`, `turnover`,
    `mean_rank_ic`, `model_less_lightgbm` (of the mean RankIC) and the mean RankIC of the `baselines`."""
    curves: pl.DataFrame
    """`Date`, `track`, `cumulative_net`."""
    folds: pl.DataFrame
    """`Date` (the first that the fold tests), `fold`, `track`, `mean_rank_ic`."""


def measure(panel: Panel, quotes: Quotes, folds: Sequence[Fold], series: Series, params: Measures) -> Results:
    """Measures the series as the test split is measured, beside its baselines, and each fold by itself.

    Raises:
        DataError: as `evaluate` does; targets are not the returns of the bars; a bar of a tested session has no score.
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
    evaluation = evaluate(series.scores_TSH, outcome, params, None if oracle_TSH is None else oracle_TSH[rows])
    table, curves = compare_with_baselines(evaluation, series.scores_TSH, series.baselines, outcome, params)
    rank_ics = {name: _rank_ics(scores_TSH, outcome) for name, scores_TSH in series.baselines.items()}
    told = [
        {**fold.as_json(panel.sessions), "validation_rank_ic": number(series.validation_rank_ic[fold.number].mean())}
        | _of_fold(evaluation.sessions[_inside(fold, rows)], rank_ics, _inside(fold, rows), params.bootstrap)
        for fold in folds
    ]
    metrics = evaluation.metrics | {
        "gaps": gaps(folds, panel.sessions),
        "baselines": [{"name": name, **metrics} for name, metrics in table.items()],
        "folds": told,
    }
    return Results(evaluation, metrics, curves, _tracks(told))


def _inside(fold: Fold, rows: slice) -> slice:
    """Where a fold's test lies in the series."""
    return slice(fold.test.start - rows.start, fold.test.stop - rows.start)


def _rank_ics(scores_TSH: Floats, outcome: Outcome) -> Floats:
    """[T, H] RankIC by session and horizon."""
    return np.stack(
        [rank_ic(scores_TSH[..., h], outcome.targets_TSH[..., h]) for h in range(len(outcome.horizons))], axis=1
    )


def _of_fold(track: pl.DataFrame, rank_ics: dict[str, Floats], inside: slice, bootstrap: Bootstrap) -> dict[str, Any]:
    """What a fold's part of the series shows.

    Args:
        track: its rows of `Evaluation.sessions`.
        rank_ics: by baseline, [T, H] over the whole series.
    """
    horizons = horizons_of(track)
    net_U = track["net"].drop_nans().to_numpy()
    own_TH = track.select(f"rank_ic_{h}" for h in horizons).to_numpy()
    return {
        "sharpe": estimate(sharpe(net_U), interval(net_U, sharpe, bootstrap, horizon=1)),
        "annual_return": number(mean(net_U) * SESSIONS_PER_YEAR),
        "turnover": number(mean(track["turnover"].to_numpy())),
        "mean_rank_ic": mean_over_horizons(own_TH, horizons, bootstrap),
        "model_less_lightgbm": mean_over_horizons(own_TH - rank_ics[_RIVAL][inside], horizons, bootstrap),
        "baselines": {
            name: mean_over_horizons(rank_ic_TH[inside], horizons, bootstrap)["value"]
            for name, rank_ic_TH in rank_ics.items()
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
