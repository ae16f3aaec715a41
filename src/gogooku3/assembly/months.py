"""The months of a dataset in work units of a calendar year: computes those that the cache does not have."""

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
    """All months with a session, in order."""
    names, starts = np.unique(sessions.astype("datetime64[M]"), return_index=True)
    stops = [*starts[1:], len(sessions)]
    return [Month(str(name), int(start), int(stop)) for name, start, stop in zip(names, starts, stops, strict=True)]


def units(sessions: npt.NDArray[np.datetime64]) -> list[list[Month]]:
    """The months by calendar year: independent work units, for any process and in any order."""
    return [list(of_year) for _, of_year in groupby(months(sessions), lambda month: unit_name([month]))]


def unit_name(unit: Sequence[Month]) -> str:
    """The calendar year of a unit."""
    return unit[0].name[:4]


def make_unit(unit: Sequence[Month], history: History, params: Dataset, cache: MonthCache, advance: Advance) -> None:
    """Computes the months of a unit that are not in the cache; waits while another process has the unit's lock.

    Raises:
        DataError: the bars cannot be read or break their schema, a stock with bars is not listed, or a joined table
            does not match the parameters.
    """
    with cache.lock(unit_name(unit)):
        _make(unit, history, params, cache, advance)


def _make(unit: Sequence[Month], history: History, params: Dataset, cache: MonthCache, advance: Advance) -> None:
    features = chosen(params)
    lookback = max(params.graph.window + 1, *(feature.lookback for feature in features))
    first = max(0, unit[0].start - lookback + 1)
    bars = history.market(first, unit[-1].stop)
    market = replace(bars, joined=joined.read(params.joined, history.sessions, history.listed["Code"]))
    current_recipe, digests = recipe(features, params), session_digests(market)

    def key_of(month: Month) -> str:
        window = slice(max(0, month.start - lookback + 1) - first, month.stop - first)
        known = joined_digest(market.rows(month.start - first, month.stop - first))
        return cache_key(current_recipe, digests[window], known, month.start)

    keys = {month.name: key_of(month) for month in unit}
    hits = {name: cache.is_current(name, key) for name, key in keys.items()}
    advance(sum(hits.values()))
    for hit, run in groupby(unit, lambda month: hits[month.name]):
        if not hit:
            for month, frames in month_frames(list(run), first, market, features, params, advance):
                cache.write(month.name, current_recipe, keys[month.name], frames)
