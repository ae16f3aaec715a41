"""The full history of bars, read lazily: any range of sessions loads as a `Market` without reading the others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from gogooku3.errors import DataError
from gogooku3.features.market import Market
from gogooku3.quotes.folder import collect_bars, read_index, read_listed, scan_bars


@dataclass(frozen=True, eq=False)
class History:
    """Bars, listing and index in the schema of `gogooku3.quotes`."""

    bars: pl.LazyFrame
    """Sorted by (Date, Code)."""
    listed: pl.DataFrame
    index: pl.DataFrame
    folder: Path | None = None
    """The folder on disk; None for data in memory."""

    @classmethod
    def read(cls, folder: Path) -> History:
        """Opens the quotes folder; bars are read on demand.

        Raises:
            DataError: a file is missing, truncated, or breaks its schema.
        """
        return cls(scan_bars(folder), read_listed(folder), read_index(folder), folder)

    @cached_property
    def sessions(self) -> npt.NDArray[np.datetime64]:
        """[T] dates, ascending, on which at least one stock has a bar with a close.

        Raises:
            DataError: no bar has a close.
        """
        closed = self.bars.filter(pl.col("Close").is_finite()).select(pl.col("Date").unique())
        dates = closed.collect(engine="streaming")["Date"].sort()
        if dates.is_empty():
            raise DataError("no bar has a close", hint="check the quotes and the period in `params.yaml`")
        return dates.to_numpy().astype("datetime64[D]")

    @cached_property
    def _splits(self) -> pl.DataFrame:
        """The bars with a split, sorted, with the cumulative product of the code's adjustment factors."""
        factor = pl.col("AdjustmentFactor")
        split = self.bars.filter(factor.is_finite() & (factor != 1.0)).select("Code", "Date", factor)
        rows = split.collect(engine="streaming").sort("Date", "Code")
        return rows.select("Code", "Date", factor=factor.cum_prod().over("Code"))

    def market(self, start: int = 0, stop: int | None = None) -> Market:
        """The market of the sessions start … stop − 1, adjusted for all splits since the first session.

        Raises:
            DataError: the bars cannot be read or break their schema, or a stock with bars is not listed.
        """
        sessions = self.sessions[start:stop]
        between = pl.col("Date").is_between(pl.lit(sessions[0].item()), pl.lit(sessions[-1].item()))
        bars = collect_bars(self.bars.filter(between))
        adjusted = bars.join_asof(self._splits, on="Date", by="Code", check_sortedness=False)
        return Market.of_bars(adjusted.with_columns(pl.col("factor").fill_null(1.0)), self.listed, self.index)
