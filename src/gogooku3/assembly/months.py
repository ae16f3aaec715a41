"""The months of a dataset, in units of a calendar year: which of them are to be made, and from which bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
import numpy.typing as npt

from gogooku3.assembly.fingerprint import cache_key, joined_digest, recipe, session_digests
from gogooku3.assembly.history import History
from gogooku3.assembly.month_cache import MonthCache
from gogooku3.config.dataset import Dataset
from gogooku3.features import joined
from gogooku3.features.month import Advance, Month, month_frames
from gogooku3.features.registry import chosen


def months(sessions: npt.NDArray[np.datetime64]) -> list[Month]:
    """Every month that has a session, in order."""
    names, starts = np.unique(sessions.astype("datetime64[M]"), return_index=True)
    stops = [*starts[1:], len(sessions)]
    return [Month(str(name), int(start), int(stop)) for name, start, stop in zip(names, starts, stops, strict=True)]


def units(sessions: npt.NDArray[np.datetime64]) -> list[list[Month]]:
    """The months by calendar year: work that can be done in any order, by any process."""
    return [list(of_year) for _, of_year in groupby(months(sessions), lambda month: unit_name([month]))]


def unit_name(unit: Sequence[Month]) -> str:
    """The calendar year of a unit."""
    return unit[0].name[:4]


def make_unit(unit: Sequence[Month], history: History, params: Dataset, cache: MonthCache, advance: Advance) -> None:
    """Makes the months of a unit that the workshop does not hold yet; waits where another process is at it.

    Raises:
        DataError: the bars cannot be read or break their schema, a stock with bars is not listed, or a table that is
            joined is not what the parameters say.
    """
    with cache.lock(unit_name(unit)):
        _make(unit, history, params, cache, advance)


def _make(unit: Sequence[Month], history: History, params: Dataset, cache: MonthCache, advance: Advance) -> None:
    features = chosen(params)
    lookback = max(params.graph.window + 1, *(feature.lookback for feature in features))
    first = max(0, unit[0].start - lookback + 1)
    bars = history.market(first, unit[-1].stop)
    market = replace(bars, joined=joined.read(params.joined, history.sessions, history.listed["Code"]))
    made_from, digests = recipe(features, params), session_digests(market)

    def inputs_of(month: Month) -> str:
        looked_at = slice(max(0, month.start - lookback + 1) - first, month.stop - first)
        known = joined_digest(market.rows(month.start - first, month.stop - first))
        return cache_key(made_from, digests[looked_at], known, month.start)

    wanted = {month.name: inputs_of(month) for month in unit}
    held = {name: cache.is_current(name, made_of) for name, made_of in wanted.items()}
    advance(sum(held.values()))
    for done, run in groupby(unit, lambda month: held[month.name]):
        if not done:
            for month, frames in month_frames(list(run), first, market, features, params, advance):
                cache.write(month.name, made_from, wanted[month.name], frames)
