"""The panel of the last sessions of a history: bit for bit the part of a full rebuild that their scores depend on.

A value of a feature depends on the bars in its lookback only, whatever else is computed with it, and scores come from
blocks of sessions that start at multiples of `BLOCK` in the whole history. So a panel that starts at such a multiple,
early enough for the windows of the first block, has the same scores as the panel of all sessions, if its stocks are
all that ever had a bar: they are the rows of the network's matrix products.

Finished sessions are kept in a month cache of `gogooku3.assembly` whose "months" are single sessions: a session is
computed again only if a bar in its lookback, a parameter, a library or the code has changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gogooku3.assembly.history import History
from gogooku3.assembly.month_cache import MonthCache
from gogooku3.assembly.months import make_unit
from gogooku3.config.dataset import Dataset
from gogooku3.dataset.normalise import standardise
from gogooku3.dataset.schema import EDGE_ATTRIBUTES, GRAPH_COLUMNS, KEY, Schema, positions
from gogooku3.features.graph import refreshes
from gogooku3.features.month import Month
from gogooku3.panel.panel import Panel

BLOCK = 16
"""Sessions per block of `gogooku3.model.scoring`, or a multiple of them."""


class RecentSessions:
    """Panels of the sessions of one history, with a folder that keeps what was computed."""

    def __init__(self, history: History, params: Dataset, schema: Schema, preprocess: dict[str, Any], folder: Path):
        self.history = history
        self.params = params
        self.schema = schema
        self.preprocess = preprocess
        self._cache = MonthCache(folder / "sessions")

    def panel(self, first: int, stop: int, window: int) -> tuple[Panel, int]:
        """The panel with which the sessions `first` to `stop` − 1 are scored, and its first session in the history.

        Args:
            first, stop: indices in `history.sessions`.
            window: sessions that a score depends on, its own included.

        Raises:
            DataError: the bars break their schema, a stock is not listed, or a joined table does not match.
        """
        block = first // BLOCK * BLOCK
        begin = max(0, block - window + 1) // BLOCK * BLOCK
        self._build(range(begin, stop))
        graphs = self._graphs(block, begin, stop)
        sessions, codes = self.history.sessions[begin:stop], self._codes
        x_TSF, present_TS = self._features(begin, stop, codes)
        neighbours_GSK, edges_GSKE, graph_of_T = _graph_arrays(graphs, sessions, codes, self.schema.neighbours)
        panel = Panel(
            sessions=sessions,
            codes=tuple(codes),
            present_TS=present_TS,
            y_TSH=np.full((*present_TS.shape, len(self.schema.horizons)), np.nan, np.float32),
            horizons=self.schema.horizons,
            split={},
            features=self.schema.names,
            abi=self.schema.abi,
            x_TSF=x_TSF,
            neighbours_GSK=neighbours_GSK,
            edges_GSKE=edges_GSKE,
            graph_of_T=graph_of_T,
        )
        return panel, begin

    def keep_only(self, panel: Panel) -> None:
        """Removes what is kept of sessions outside a panel, but for the last graph before it."""
        wanted = {str(session) for session in panel.sessions} | self._before
        for path in [*self._cache.folder.rglob("*.parquet"), *(self._cache.root / "months").glob("*.json")]:
            if path.stem not in wanted:
                path.unlink(missing_ok=True)

    @property
    def _codes(self) -> pl.Series:
        """All stocks that ever had a bar, sorted."""
        closed = self.history.bars.filter(pl.col("Close").is_finite())
        return closed.select(pl.col("Code").unique()).collect(engine="streaming")["Code"].sort()

    def _build(self, sessions: Sequence[int]) -> None:
        """Computes the features and graphs of consecutive sessions that are not kept from an earlier time."""
        unit = [Month(str(self.history.sessions[session]), session, session + 1) for session in sessions]
        make_unit(unit, self.history, self.params, self._cache, lambda share: None)

    def _graphs(self, block: int, begin: int, stop: int) -> list[pl.DataFrame]:
        """The graphs that the sessions from `block` on know: those of the panel, and the last one before, if needed.

        A graph without edges counts as none, as in a dataset.
        """
        self._before: set[str] = set()
        days = list(refreshes(stop, self.params.graph))
        graphs = [frame for day in days if day >= begin and len(frame := self._graph(day))]
        known = self.history.sessions[block]
        if not graphs or graphs[0]["Date"][0] > known.item():
            for day in reversed([day for day in days if day < begin]):
                self._build([day])
                if len(frame := self._graph(day)):
                    self._before = {str(self.history.sessions[day])}
                    return [frame, *graphs]
        return graphs

    def _graph(self, session: int) -> pl.DataFrame:
        return pl.read_parquet(self._cache.folder / f"graph/{self.history.sessions[session]}.parquet")

    def _features(
        self, begin: int, stop: int, codes: pl.Series
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """x_TSF, with `session` features standardised as in training, and present_TS."""
        shape = (stop - begin, len(codes), len(self.schema.features))
        x_TSF, present_TS = np.full(shape, np.nan, np.float32), np.zeros(shape[:2], np.bool_)
        for row, session in enumerate(self.history.sessions[begin:stop]):
            frame = pl.read_parquet(self._cache.folder / f"features/{session}.parquet")
            stock = positions(frame["Code"], codes)
            x_TSF[row, stock] = frame.drop(*KEY).to_numpy()
            present_TS[row, stock] = True
        for position, column in enumerate(self.schema.features):
            if column.scope == "session":
                values_TS = x_TSF[:, :, position].astype(np.float64)
                fitted = self.preprocess["session"][column.name]
                x_TSF[:, :, position] = standardise(values_TS, fitted, self.preprocess["clip"])
        return x_TSF, present_TS


def _graph_arrays(
    graphs: list[pl.DataFrame], sessions: npt.NDArray[np.datetime64], codes: pl.Series, neighbours: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """neighbours_GSK, edges_GSKE and graph_of_T of `Panel`."""
    edges = pl.concat(graphs) if graphs else pl.DataFrame(schema=GRAPH_COLUMNS)
    dates = edges["Date"].unique().sort()
    neighbours_GSK = np.full((len(dates), len(codes), neighbours), -1, np.int32)
    edges_GSKE = np.zeros((*neighbours_GSK.shape, len(EDGE_ATTRIBUTES)), np.float32)
    cells = positions(edges["Date"], dates), positions(edges["Code"], codes), edges["Rank"].to_numpy() - 1
    neighbours_GSK[cells] = positions(edges["Neighbour"], codes)
    edges_GSKE[cells] = edges.select(pl.col(EDGE_ATTRIBUTES).cast(pl.Float32)).to_numpy()
    graph_of_T = np.searchsorted(dates.to_numpy().astype("datetime64[D]"), sessions, side="right") - 1
    return neighbours_GSK, edges_GSKE, graph_of_T.astype(np.int32)


def with_joined(params: Dataset, folder: Path | None) -> Dataset:
    """The parameters with another folder of joined tables."""
    return params if folder is None else replace(params, joined=replace(params.joined, folder=str(folder)))
