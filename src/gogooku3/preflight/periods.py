"""Checks of splits and folds: their length, and the stocks that trade in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gogooku3.config import Params
from gogooku3.config.section import require
from gogooku3.dataset import splits
from gogooku3.errors import ConfigError
from gogooku3.evaluation.evaluate import MIN_SESSIONS
from gogooku3.metrics.ranking import MIN_STOCKS
from gogooku3.preflight.market import Market
from gogooku3.preflight.parameters import parameter_of_stocks
from gogooku3.walk_forward.plan import Fold, plan_folds

Span = tuple[int, int]
"""First and last session, both inclusive."""


@dataclass(frozen=True)
class Period:
    """A period of the plan, with its name and its parameters for messages."""

    name: str
    span: Span
    parameters: str

    @property
    def sessions(self) -> int:
        """Number of sessions."""
        return self.span[1] - self.span[0] + 1

    @property
    def rows(self) -> slice:
        """The sessions."""
        return slice(self.span[0], self.span[1] + 1)


def check_periods(params: Params, market: Market, lookback: int, *, walk_forward: bool) -> None:
    """Checks the split, and the folds if they are trained.

    Raises:
        DataError: a split or fold does not fit into the calendar.
        ConfigError: it is too short for a batch, the portfolio or the graph, or too few stocks trade in it.
    """
    horizon = max(params.dataset.horizons)
    spans = splits.cut(market.sessions, params.dataset.split, horizon=horizon, lookback=lookback)
    trained = [_of_split(spans, "train")]
    ranked = [_of_split(spans, name) for name in ("validation", "test")]
    held = list(ranked)
    if walk_forward:
        walk = params.evaluation.walk_forward
        folds = plan_folds(market.sessions, walk, params.dataset.split, horizon=horizon, lookback=lookback)
        trained += [_of_fold(fold, "train") for fold in folds]
        ranked += [_of_fold(fold, name) for fold in folds for name in ("validation", "test")]
        tests = (folds[0].spans["test"][0], folds[-1].spans["test"][1])
        joined = "`evaluation.walk_forward.test` and `folds`"
        held.append(Period(f"the joined test of folds {walk.folds}", tests, joined))
    scored = {horizon: market.scored_T(horizon) for horizon in params.dataset.horizons}
    for period in trained:
        _require_batches(params, market, period)
        _require_targets(params, market, period, scored[1])
        _require_graph(params, market, period)
    for period in held:
        _require_returns(params, market, period)
    for period in ranked:
        _require_stocks(params, market, period, scored)


def _of_split(spans: dict[str, Span], split: str) -> Period:
    return Period(f"the {split} split", spans[split], f"`dataset.split` from `{split}_from` on")


def _of_fold(fold: Fold, split: str) -> Period:
    return Period(f"the {split} of fold {fold.number}", fold.spans[split], f"`evaluation.walk_forward.{split}`")


def _require_batches(params: Params, market: Market, period: Period) -> None:
    """A batch fits into the period, and has stocks for its shards."""
    recipe, shares = params.train.recipe, params.numerics.shares
    length = recipe.batch_sessions
    require(
        length <= period.sessions,
        f"{period.name} has {period.sessions} sessions, a batch takes {length} (`train.recipe.batch_size`"
        f" {recipe.batch_size} / `batch_stocks` {recipe.batch_stocks})",
        f"lower `train.recipe.batch_size`, raise `batch_stocks`, or lengthen the period ({period.parameters})",
    )
    if shares == 1:
        return
    blocks_T = market.blocks_T(length)[period.span[0] : period.span[1] - length + 2]
    first = period.span[0] + int(blocks_T.argmin())
    require(
        blocks_T.min() >= shares,
        f"`numerics.shares` is {shares}, but {blocks_T.min()} stocks trade in a batch of {length} sessions from"
        f" {market.sessions[first]}, in {period.name}",
        f"use fewer shares, more stocks ({parameter_of_stocks(params)}), or start later ({period.parameters})",
    )


def _require_targets(params: Params, market: Market, period: Period, scored_T: NDArray[np.float64]) -> None:
    """Every batch has a session in which two stocks have a target."""
    length = params.train.recipe.batch_sessions
    best_T = np.lib.stride_tricks.sliding_window_view(scored_T[period.rows], length).max(axis=1)
    first = period.span[0] + int(best_T.argmin())
    require(
        best_T.min() >= 2,
        f"a batch of {length} sessions from {market.sessions[first]}, in {period.name}, has no session in which two"
        " stocks have a next return",
        f"start later ({period.parameters}), or use more stocks ({parameter_of_stocks(params)})",
    )


def _require_graph(params: Params, market: Market, period: Period) -> None:
    window = params.dataset.graph.window
    if window > period.span[1]:
        raise ConfigError(
            f"`dataset.graph.window` is {window}: the first neighbour graph needs {window + 1} sessions, and"
            f" {period.name} ends at session {period.span[1] + 1}, {market.sessions[period.span[1]]}",
            hint=f"use a shorter window, or train on later sessions ({period.parameters})",
        )


def _require_returns(params: Params, market: Market, period: Period) -> None:
    """The portfolio has enough returns: it starts `delay` sessions late, and the last session has no next close."""
    delay = params.evaluation.portfolio.delay
    closed = min(period.span[1] + 1, len(market.sessions) - 1) - period.span[0]
    needed = MIN_SESSIONS + delay + period.sessions - closed
    require(
        period.sessions >= needed,
        f"{period.name} has {period.sessions} sessions and needs {needed}: {MIN_SESSIONS} returns of the portfolio,"
        f" which trades {delay} sessions after a score (`evaluation.portfolio.delay`)"
        + (", and none after the last close" if closed < period.sessions else ""),
        f"lengthen it ({period.parameters}), or lower `evaluation.portfolio.delay`",
    )


def _require_stocks(params: Params, market: Market, period: Period, scored: dict[int, NDArray[np.float64]]) -> None:
    for horizon, scored_T in scored.items():
        most = scored_T[period.rows].max()
        require(
            most >= MIN_STOCKS,
            f"no session of {period.name} ({market.sessions[period.span[0]]} to {market.sessions[period.span[1]]}) has"
            f" {MIN_STOCKS} stocks with a score and a target of horizon {horizon}; the most are {int(most)}",
            f"use more stocks ({parameter_of_stocks(params)}), or other sessions ({period.parameters})",
        )
