"""The months of a dataset: made in units of a calendar year, each from its own bars and the lookback before them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import numpy.typing as npt
import polars as pl

from gogooku3.config.dataset import Dataset
from gogooku3.dataset import graph, joined
from gogooku3.dataset.block import Block, feature_block
from gogooku3.dataset.feature import Feature
from gogooku3.dataset.history import History
from gogooku3.dataset.identity import inputs, joined_digest, recipe, session_digests
from gogooku3.dataset.market import Market
from gogooku3.dataset.registry import chosen
from gogooku3.dataset.workshop import Workshop

Advance = Callable[[float], None]
"""Is told how many months were done since it was last told."""


@dataclass(frozen=True)
class Month:
    """A calendar month with its sessions start … stop − 1 in the whole history."""

    name: str
    start: int
    stop: int


def months(sessions: npt.NDArray[np.datetime64]) -> list[Month]:
    """Every month that has a session, in order."""
    names, starts = np.unique(sessions.astype("datetime64[M]"), return_index=True)
    stops = [*starts[1:], len(sessions)]
    return [Month(str(name), int(start), int(stop)) for name, start, stop in zip(names, starts, stops, strict=True)]


def units(sessions: npt.NDArray[np.datetime64]) -> list[list[Month]]:
    """The months by calendar year: work that can be done in any order, by any process."""
    return [list(of_year) for _, of_year in groupby(months(sessions), lambda month: name_of([month]))]


def name_of(unit: Sequence[Month]) -> str:
    """The calendar year of a unit."""
    return unit[0].name[:4]


def make(unit: Sequence[Month], history: History, params: Dataset, workshop: Workshop, advance: Advance) -> None:
    """Makes the months of a unit that the workshop does not hold yet; waits where another process is at it.

    Raises:
        DataError: the bars cannot be read or break their schema, a stock with bars is not listed, or a table that is
            joined is not what the parameters say.
    """
    with workshop.turn(name_of(unit)):
        _make(unit, history, params, workshop, advance)


def _make(unit: Sequence[Month], history: History, params: Dataset, workshop: Workshop, advance: Advance) -> None:
    features = chosen(params)
    lookback = max(params.graph.window + 1, *(feature.lookback for feature in features))
    first = max(0, unit[0].start - lookback + 1)
    bars = history.market(first, unit[-1].stop)
    market = replace(bars, joined=joined.read(params.joined, history.sessions, history.listed["Code"]))
    made_from, digests = recipe(features, params), session_digests(market)

    def inputs_of(month: Month) -> str:
        looked_at = slice(max(0, month.start - lookback + 1) - first, month.stop - first)
        known = joined_digest(market.rows(month.start - first, month.stop - first))
        return inputs(made_from, digests[looked_at], known, month.start)

    wanted = {month.name: inputs_of(month) for month in unit}
    held = {name: workshop.holds(name, made_of) for name, made_of in wanted.items()}
    advance(sum(held.values()))
    for done, run in groupby(unit, lambda month: held[month.name]):
        if not done:
            for month, frames in _made(list(run), first, market, features, params, advance):
                workshop.write(month.name, made_from, wanted[month.name], frames)


def _made(
    run: list[Month], first: int, market: Market, features: Sequence[Feature], params: Dataset, advance: Advance
) -> Iterator[tuple[Month, dict[str, pl.DataFrame]]]:
    """Consecutive months with their files, from a market that begins with session `first`."""
    start, stop = run[0].start - first, run[-1].stop - first
    x_FTS = feature_block(market, features, params.clip, start, stop, lambda share: advance(0.8 * share * len(run)))
    names = [feature.name for feature in features]
    for month in run:
        rows = slice(month.start - first, month.stop - first)
        x_month_FTS = x_FTS[:, rows.start - start : rows.stop - start]
        frames = {f"features/{month.name}.parquet": frame(market, rows, names, x_month_FTS)}
        edges = [
            graph.edges(market, session - first, params.graph)
            for session in graph.refreshes(month.stop, params.graph)
            if session >= month.start
        ]
        if edges:
            frames[f"graph/{month.name}.parquet"] = pl.concat(edges)
        yield month, frames
        advance(0.2)


def frame(market: Market, rows: slice, names: Sequence[str], values_FTS: Block) -> pl.DataFrame:
    """`Date`, `Code` and [F, T, S] values of some sessions of a market: one row per bar."""
    present_TS = market.present_TS[rows]
    session, stock = np.nonzero(present_TS)
    key = {"Date": market.sessions[rows][session], "Code": pl.Series(market.codes, dtype=pl.String).gather(stock)}
    return pl.DataFrame(key | {name: x_TS[present_TS] for name, x_TS in zip(names, values_FTS, strict=True)})
