"""A tiny market and the scores of models on it, whose RankICs are chosen and whose metrics the evaluation computes."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl

from gogooku3.baselines.table import NAMES, to_table
from gogooku3.config import Params
from gogooku3.dataset.contents import write_frame
from gogooku3.dataset.schema import Schema, target_name
from gogooku3.dataset.splits import named
from gogooku3.evaluation import splits
from gogooku3.evaluation.scores import Scores
from gogooku3.panel.panel import Targets, read_targets
from gogooku3.panel.table import to_frame
from gogooku3.quotes import folder
from gogooku3.quotes.schema import Bars, Index, Listed, Quotes
from gogooku3.runtime.files import write_json, write_parquet

SESSIONS, STOCKS = 96, 25
"""Of 25 stocks, Spearman's correlations are the multiples of 1/1300: every mean with two decimals is exact."""
SPLIT = {"train": (0, 9), "validation": (10, 49), "test": (50, 95)}
DATES = np.datetime64("2024-01-01") + np.arange(SESSIONS)
CODES = tuple(f"{1300 + stock}" for stock in range(STOCKS))
STEPS = STOCKS * (STOCKS**2 - 1) // 12


@cache
def closes() -> np.ndarray:
    """[T, S] random walks."""
    return 100 * np.exp(np.cumsum(0.02 * np.random.default_rng(7).standard_normal((SESSIONS, STOCKS)), axis=0))


def write_quotes(target: Path) -> None:
    close = closes().ravel()
    bars = pl.DataFrame(
        {"Code": list(CODES) * SESSIONS, "Date": np.repeat(DATES, STOCKS)}
        | dict.fromkeys(("Open", "High", "Low", "Close"), close)
        | {"Volume": np.full(len(close), 1e5), "TurnoverValue": 1e5 * close, "AdjustmentFactor": np.ones(len(close))}
    )
    since = [DATES[0].item()] * STOCKS
    listed = {"Code": CODES, "Sector33": ["A", "B"] * 12 + ["A"], "MarketSegment": ["Prime"] * STOCKS}
    listing = pl.DataFrame(listed | {"ListedFrom": since, "ListedTo": pl.Series([None] * STOCKS, dtype=pl.Date())})
    index = pl.DataFrame({"Date": DATES, "Close": closes().mean(axis=1)})
    quotes = Quotes(Bars.validate(bars), Listed.validate(listing), Index.validate(index), {}, None)
    folder.write(quotes, target)


def write_dataset(target: Path, schema: Schema) -> Targets:
    """Targets and split of the market; a month of features without rows."""
    close_TS = closes()
    frame = {"Date": np.repeat(DATES, STOCKS), "Code": list(CODES) * SESSIONS}
    for horizon in schema.horizons:
        target_TS = np.full(close_TS.shape, np.nan, np.float32)
        target_TS[:-horizon] = close_TS[horizon:] / close_TS[:-horizon] - 1
        frame[target_name(horizon)] = target_TS.ravel()
    contents = {
        f"{kind}/2024-01.parquet": write_frame(rows, target / f"{kind}/2024-01.parquet")
        for kind, rows in (("features", pl.DataFrame(schema=schema.feature_columns)), ("targets", pl.DataFrame(frame)))
    }
    write_json(schema.as_json(), target / "schema.json")
    write_json({"abi": schema.abi, "clip": 5.0, "session": {}}, target / "preprocess.json")
    write_json({"embargo": 0, **named(SPLIT, DATES)}, target / "split.json")
    write_json(contents, target / "contents.json")
    return read_targets(target)


def write_results(made: Path, params: Params, rank_ic: dict[str, float]) -> None:
    """Writes scores with these RankICs by split, 0.01 more at each next horizon, and what `evaluate` computes."""
    targets = read_targets(made / "dataset")
    rows = splits.span(targets)
    scores_TSH = np.random.default_rng(1).standard_normal((SESSIONS, STOCKS, len(targets.horizons))).astype(np.float32)
    rivals = {name: np.roll(scores_TSH, place + 1, axis=1).astype(np.float64) for place, name in enumerate(NAMES)}
    for split, value in rank_ic.items():
        for place, horizon in enumerate(targets.horizons):
            first, last = SPLIT[split]
            known = slice(first, min(last + 1, SESSIONS - horizon))
            series_T = _series(known.stop - first, value + place / 100)
            scores_TSH[known, :, place] = _scores(series_T, targets.y_TSH[known, :, place])
    results = splits.measure(
        targets, Scores(scores_TSH[rows], {}), rivals, folder.read(made / "quotes"), params.evaluation
    )
    splits.write(results, made)
    write_parquet(to_frame(targets, scores_TSH[rows], rows.start), made / "scores/predictions.parquet")
    own = {name: scores[rows] for name, scores in rivals.items()}
    write_parquet(to_table(targets, own, rows.start), made / "scores/baselines.parquet")


def quick(params: Params) -> Params:
    """Parameters with the fewest draws of the bootstrap that are allowed."""
    bootstrap = replace(params.evaluation.bootstrap, draws=100)
    return replace(params, evaluation=replace(params.evaluation, bootstrap=bootstrap))


def _series(sessions: int, mean: float) -> np.ndarray:
    """[T] RankICs, in steps of 1/1300, with this mean: noise that all models share, and a little of their own."""
    own = np.random.default_rng(round(1e6 * (1 + mean)))
    noise_T = 0.1 * np.random.default_rng(5).standard_normal(sessions) + 0.005 * own.standard_normal(sessions)
    steps_T = np.rint(STEPS * (mean + noise_T - noise_T.mean())).astype(int)
    missing = round(STEPS * mean * sessions) - steps_T.sum()
    steps_T += missing // sessions
    steps_T[: missing % sessions] += 1
    return steps_T


def _scores(steps_T: np.ndarray, targets_TS: np.ndarray) -> np.ndarray:
    """[T, S] scores whose Spearman correlation with the targets is `steps_T` / 1300."""
    random, order = np.random.default_rng(2), np.argsort(targets_TS, axis=1)
    one, other = np.triu_indices(STOCKS, 1)
    scores_TS = np.empty(targets_TS.shape)
    for row, steps in enumerate(steps_T):
        ranks = _permutation(int(steps), random, one, other)
        scores_TS[row, order[row]] = ranks / STOCKS
    return scores_TS


def _permutation(steps: int, random: np.random.Generator, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """A random permutation, changed by swaps until its correlation with 0, 1, 2, … is `steps` / 1300."""
    places = np.arange(STOCKS)
    wanted = STOCKS * (STOCKS - 1) ** 2 // 4 + steps
    ranks = random.permutation(STOCKS)
    while (needed := wanted - int(places @ ranks)) != 0:
        gains = (other - one) * (ranks[one] - ranks[other])
        best = int(np.argmin(np.abs(gains - needed)))
        if abs(int(gains[best]) - needed) >= abs(needed):
            ranks = random.permutation(STOCKS)
            continue
        ranks[[one[best], other[best]]] = ranks[[other[best], one[best]]]
    return ranks
