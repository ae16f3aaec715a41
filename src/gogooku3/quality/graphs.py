"""The graphs, counted: which stocks have neighbours, how many, and how old a graph grows before the next."""

from __future__ import annotations

import numpy as np
import polars as pl

from gogooku3.quality.bar_counts import BarCounts, Counts


class Graphs:
    """Counts of the graphs, told in the order of their sessions. Shape letters: M calendar months, G graphs."""

    def __init__(self, bar_counts: BarCounts) -> None:
        self._bar_counts = bar_counts
        self._counted = pl.DataFrame(schema={"Date": pl.Date, "edges": pl.UInt32, "stocks": pl.UInt32})

    def add(self, frame: pl.DataFrame) -> None:
        """Takes in the edges of a month's graphs."""
        edges, stocks = pl.len().alias("edges"), pl.col("Code").n_unique().alias("stocks")
        self._counted.extend(frame.group_by("Date", maintain_order=True).agg(edges, stocks))

    @property
    def session_G(self) -> Counts:
        """Session at whose close each graph was made."""
        return self._bar_counts.place(self._counted["Date"])

    @property
    def graphs_M(self) -> Counts:
        """Graphs made in each month."""
        return self._by_month(np.ones(self._counted.height, np.int64))

    @property
    def edges_M(self) -> Counts:
        """Edges of each month's graphs."""
        return self._by_month(self._counted["edges"].to_numpy().astype(np.int64))

    @property
    def linked_M(self) -> Counts:
        """Stocks with an edge, over each month's graphs."""
        return self._by_month(self._counted["stocks"].to_numpy().astype(np.int64))

    @property
    def present_M(self) -> Counts:
        """Stocks with a bar in the session of the graph, over each month's graphs."""
        return self._by_month(self._bar_counts.bars_T[self.session_G])

    def _by_month(self, counts_G: Counts) -> Counts:
        counts_T = np.zeros_like(self._bar_counts.bars_T)
        counts_T[self.session_G] = counts_G
        return self._bar_counts.by_month(counts_T)
