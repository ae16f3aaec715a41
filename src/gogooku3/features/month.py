"""Feature and graph frames of the months of a dataset; the entry point of all code that determines their values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from gogooku3.config.dataset import Dataset
from gogooku3.features import graph
from gogooku3.features.block import Block, feature_block
from gogooku3.features.feature import Feature
from gogooku3.features.market import Market

Advance = Callable[[float], None]
"""Progress callback: months (fractional) done since the last call."""


@dataclass(frozen=True)
class Month:
    """A calendar month; its sessions are start … stop − 1 in the whole history."""

    name: str
    start: int
    stop: int


def month_frames(
    run: Sequence[Month], first: int, market: Market, features: Sequence[Feature], params: Dataset, advance: Advance
) -> Iterator[tuple[Month, dict[str, pl.DataFrame]]]:
    """Computes the files of consecutive months, from a market that starts at session `first`."""
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
    """A frame of `Date`, `Code` and [F, T, S] values of some sessions of a market: one row per bar."""
    present_TS = market.present_TS[rows]
    session, stock = np.nonzero(present_TS)
    key = {"Date": market.sessions[rows][session], "Code": pl.Series(market.codes, dtype=pl.String).gather(stock)}
    return pl.DataFrame(key | {name: x_TS[present_TS] for name, x_TS in zip(names, values_FTS, strict=True)})
