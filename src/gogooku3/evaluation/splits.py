"""Evaluates the model and its baselines on validation and test, against the targets and the market of one dataset.

Stage `evaluate` writes the results; `promote` computes them again from the stored scores and compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gogooku3 import paths
from gogooku3.config.evaluation import Measures
from gogooku3.evaluation import checks
from gogooku3.evaluation.baseline_comparison import compare_with_baselines
from gogooku3.evaluation.details import details
from gogooku3.evaluation.equal_turnover import matching_decay
from gogooku3.evaluation.evaluate import Evaluation, Outcome, evaluate
from gogooku3.evaluation.factors import LOOKBACK
from gogooku3.evaluation.market import market_state_of, oracle_of
from gogooku3.evaluation.plausibility import plausibility
from gogooku3.evaluation.plots import write_plots
from gogooku3.evaluation.scores import Scores
from gogooku3.metrics.smoothing import smooth
from gogooku3.metrics.split_file import content_of
from gogooku3.panel.panel import Targets
from gogooku3.quotes.schema import Quotes
from gogooku3.runtime.files import write_csv, write_json

SPLITS = ("validation", "test")


@dataclass(frozen=True, eq=False)
class Results:
    """Results by split."""

    model: dict[str, Evaluation]
    baselines: dict[str, dict[str, Any]]
    """Metrics of the baselines, and the model minus each (`compare_with_baselines`)."""
    curves: dict[str, pl.DataFrame]
    """`Date`, `track`, `cumulative_net` of the model and of each baseline."""
    details: dict[str, dict[str, Any]]
    """The other numbers and series of the model (`gogooku3.evaluation.details`)."""


def span(targets: Targets) -> slice:
    """The sessions from the first of validation to the last of test, for which a model has scores."""
    return slice(targets.split["validation"][0], targets.split["test"][1] + 1)


def measure(
    targets: Targets,
    scores: Scores,
    baselines: Mapping[str, NDArray[np.floating]],
    quotes: Quotes,
    params: Measures,
) -> Results:
    """Evaluates the model and its baselines on both splits.

    Args:
        scores: of the model and its members in the sessions of `span`.
        baselines: scores by name in all sessions.
        quotes: the quotes that the dataset was built from.

    Raises:
        DataError: as `evaluate`; targets differ from the returns of the bars; a bar has no score.
    """
    rows = span(targets)
    market_state = market_state_of(targets, quotes, rows.start, rows.stop - 1)
    sessions, codes = targets.sessions[rows], targets.codes
    checks.require_targets_match_bars(targets.y_TSH[rows], targets.horizons, sessions, codes, market_state)
    all_scores = {"the model": scores.model_TSH} | {f"the member of seed {n}": own for n, own in scores.members.items()}
    all_scores |= {name: of_baseline[rows] for name, of_baseline in baselines.items()}
    for name, scores_TSH in all_scores.items():
        checks.require_all_stocks_scored(name, scores_TSH, sessions, codes, market_state)
    oracle_TSH = oracle_of(targets, quotes)

    history_first = max(0, rows.start - LOOKBACK)
    history = market_state_of(targets, quotes, history_first, rows.stop - 1)
    results = Results({}, {}, {}, {})
    smoothed: dict[str, tuple[float, NDArray[np.floating]]] = {}
    for split in SPLITS:
        begin, end = targets.split[split][0], targets.split[split][1] + 1
        own = slice(begin - rows.start, end - rows.start)
        outcome = Outcome(
            targets.y_TSH[begin:end],
            targets.sessions[begin:end],
            targets.horizons,
            market_state.rows(own.start, own.stop),
        )
        oracle_of_split = None if oracle_TSH is None else oracle_TSH[begin:end]
        inside = scores.rows(own)
        results.model[split] = evaluate(inside.model_TSH, outcome, params, oracle_of_split)
        found = plausibility(results.model[split], inside.model_TSH, outcome, params, oracle_of_split)
        results.model[split].metrics["plausibility"] = found
        if inside.members:
            results.model[split].metrics["members"] = _of_members(inside.members, outcome, params)
        of_split = {name: of_baseline[begin:end] for name, of_baseline in baselines.items()}
        turnover = results.model[split].metrics["turnover"]  # None if no position was ever taken
        if split == SPLITS[0] and turnover is not None:  # validation alone decides how far a baseline is smoothed
            for name, of_baseline in baselines.items():
                decay = matching_decay(of_split[name], turnover, outcome, params)
                if decay > 0:
                    smoothed[name] = decay, smooth(of_baseline[rows], decay)
        results.baselines[split], results.curves[split] = compare_with_baselines(
            results.model[split],
            inside.model_TSH,
            of_split,
            outcome,
            params,
            {name: (decay, scores_TSH[own]) for name, (decay, scores_TSH) in smoothed.items()},
        )
        until = history.rows(max(0, begin - LOOKBACK) - history_first, end - history_first)
        results.details[split] = details(results.model[split], inside.model_TSH, outcome, until, params)
    return results


def _of_members(
    members: Mapping[int, NDArray[np.floating]], outcome: Outcome, params: Measures
) -> list[dict[str, Any]]:
    """The headline metrics of each member: a list, which DVC's tables leave out."""
    shown = ("sharpe", "mean_rank_ic", "rank_ic")
    evaluations = {seed: evaluate(scores_TSH, outcome, params) for seed, scores_TSH in members.items()}
    return [
        {"seed": seed, **{name: evaluation.metrics[name] for name in shown}} for seed, evaluation in evaluations.items()
    ]


def write(results: Results, root: Path) -> None:
    """Writes `metrics/` and `plots/` under the root of a working tree."""
    for split, result in results.model.items():
        write_json(content_of(result.metrics), root / paths.metrics_of(split))
        write_json(results.details[split], root / paths.details_of(split))
        write_csv(result.sessions, root / paths.sessions_of(split))
    write_json(results.baselines, root / paths.BASELINE_METRICS)
    write_plots(results.model["test"], results.curves["test"], root / paths.PLOTS)
