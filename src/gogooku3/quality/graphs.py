"""Statistics of the graphs: stocks with neighbours, edges, and sessions between two graphs."""

from __future__ import annotations

import numpy as np
import polars as pl

from gogooku3.quality.bar_counts import BarCounts, Counts


class Graphs:
    """Graph counts, collected in the order of the sessions. Shape letters: M calendar months, G graphs."""

    def __init__(self, bar_counts: BarCounts) -> None:
        self._bar_counts = bar_counts
        self._counted = pl.DataFrame(schema={"Date": pl.Date, "edges": pl.UInt32, "stocks": pl.UInt32})

    def add(self, frame: pl.DataFrame) -> None:
        """Adds the edges of a month's graphs."""
        edges, stocks = pl.len().alias("edges"), pl.col("Code").n_unique().alias("stocks")
        self._counted.extend(frame.group_by("Date", maintain_order=True).agg(edges, stocks))

    @property
    def session_G(self) -> Counts:
        """The session of each graph."""
        return self._bar_counts.position(self._counted["Date"])

    @property
    def graphs_M(self) -> Counts:
        """Number of graphs in each month."""
        return self._by_month(np.ones(self._counted.height, np.int64))

    @property
    def edges_M(self) -> Counts:
        """Number of edges of each month's graphs."""
        return self._by_month(self._counted["edges"].to_numpy().astype(np.int64))

    @property
    def linked_M(self) -> Counts:
        """Stocks with an edge, summed over each month's graphs."""
        return self._by_month(self._counted["stocks"].to_numpy().astype(np.int64))

    @property
    def present_M(self) -> Counts:
        """Stocks with a bar in the session of the graph, summed over each month's graphs."""
        return self._by_month(self._bar_counts.bars_T[self.session_G])

    def _by_month(self, counts_G: Counts) -> Counts:
        counts_T = np.zeros_like(self._bar_counts.bars_T)
        counts_T[self.session_G] = counts_G
        return self._bar_counts.by_month(counts_T)
