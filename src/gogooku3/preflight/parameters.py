"""Checks of parameters against each other, and against the number of stocks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from gogooku3.config import Params
from gogooku3.config.dataset import Dataset
from gogooku3.config.numerics import Numerics
from gogooku3.config.quotes import JQuantsQuotes, SyntheticQuotes
from gogooku3.config.section import require
from gogooku3.features import joined
from gogooku3.features.registry import refuse_duplicates, select
from gogooku3.metrics.ranking import MIN_STOCKS
from gogooku3.preflight.market import Market


@dataclass(frozen=True)
class Features:
    """The features of a dataset."""

    names: frozenset[str]
    lookback: int
    """The longest lookback, in sessions."""

    @property
    def count(self) -> int:
        """Number of features."""
        return len(self.names)


def features_of(params: Dataset) -> Features:
    """The features of a dataset; raises `ConfigError` if a name of a joined table is invalid or duplicate."""
    features = (*_selected(params.features), *joined.features(params.joined))
    if params.joined.tables:
        refuse_duplicates([feature.name for feature in features])
    return Features(frozenset(feature.name for feature in features), max(feature.lookback for feature in features))


_selected = lru_cache(select)


def check_parameters(params: Params, features: Features) -> None:
    """Checks what needs no calendar."""
    params.baselines.require_features(features.names)
    _check_precision(params.numerics)
    shares, recipe = params.numerics.shares, params.train.recipe
    require(
        shares <= recipe.batch_stocks,
        f"`numerics.shares` is {shares}, but a batch has {recipe.batch_stocks} stocks (`train.recipe.batch_stocks`)",
        f"use at most {recipe.batch_stocks} shares, or more stocks per batch",
    )


def _check_precision(numerics: Numerics) -> None:
    """Refuses a precision that only GPUs have the arithmetic for.

    Without oneDNN, whose bits depend on the processor, a CPU multiplies bfloat16 number by number: 1 GFLOP/s where
    float32 has 89.
    """
    reason = {
        "tf32": "TF32 is arithmetic of NVIDIA GPUs",
        "bf16": "a CPU computes bfloat16 products many times more slowly than float32",
    }.get(numerics.precision)
    require(
        reason is None or numerics.device == "cuda",
        f"`numerics.precision` is {numerics.precision}, but `numerics.device` is {numerics.device}: {reason}",
        "use float32 (`-S numerics.precision=float32`), or a GPU (`-S numerics.device=cuda`)",
    )


def check_universe(params: Params, market: Market) -> None:
    """Checks parameters against the stocks and sessions of the whole market."""
    stocks, sessions, source = market.stocks, len(market.sessions), parameter_of_stocks(params)
    require(
        stocks >= MIN_STOCKS,
        f"the market has {stocks} stocks ({source}); a session has a RankIC with {MIN_STOCKS} or more",
        f"use {MIN_STOCKS} stocks or more",
    )
    neighbours = params.dataset.graph.neighbours
    require(
        neighbours < stocks,
        f"`dataset.graph.neighbours` is {neighbours}, but a stock has {stocks - 1} others ({source})",
        f"use at most {stocks - 1} neighbours, or more stocks",
    )
    quantiles = params.evaluation.quantiles
    require(
        quantiles <= stocks,
        f"`evaluation.quantiles` is {quantiles}, more than the {stocks} stocks of the market ({source})",
        f"use at most {stocks} quantiles, or more stocks",
    )
    for name, table in params.dataset.joined.tables.items():
        require(
            table.lag < sessions,
            f"`dataset.joined.tables.{name}.lag` is {table.lag}, but the market has {sessions} sessions"
            f" ({market.sessions[0]} to {market.sessions[-1]}): no session would know a value",
            "use a shorter lag, or extend the period of the quotes (`quotes.start`, `quotes.end`)",
        )


def parameter_of_stocks(params: Params) -> str:
    """The parameter that determines the stocks, for messages."""
    match params.quotes:
        case SyntheticQuotes():
            return "`quotes.stocks`"
        case JQuantsQuotes():
            return "`quotes.segments`"
        case _:
            return f"`quotes.inputs.bars` {params.quotes.inputs.bars}"
