"""All bars that there are, of which any sessions can be laid out as a market without reading the others."""

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
    """In the order of (Date, Code)."""
    listed: pl.DataFrame
    index: pl.DataFrame
    folder: Path | None = None
    """Where they lie on disk, if they do."""

    @classmethod
    def read(cls, folder: Path) -> History:
        """Opens the folder of the quotes; bars are read as they are asked for.

        Raises:
            DataError: a file is absent, truncated, or breaks its schema.
        """
        return cls(scan_bars(folder), read_listed(folder), read_index(folder), folder)

    @cached_property
    def sessions(self) -> npt.NDArray[np.datetime64]:
        """[T] dates, rising, on which at least one stock has a bar with a close.

        Raises:
            DataError: there is none.
        """
        closed = self.bars.filter(pl.col("Close").is_finite()).select(pl.col("Date").unique())
        dates = closed.collect(engine="streaming")["Date"].sort()
        if dates.is_empty():
            raise DataError("no bar has a close", hint="check the quotes and the period in `params.yaml`")
        return dates.to_numpy().astype("datetime64[D]")

    @cached_property
    def _splits(self) -> pl.DataFrame:
        """The bars with a split, in order, with the product of the code's factors up to it."""
        factor = pl.col("AdjustmentFactor")
        split = self.bars.filter(factor.is_finite() & (factor != 1.0)).select("Code", "Date", factor)
        rows = split.collect(engine="streaming").sort("Date", "Code")
        return rows.select("Code", "Date", factor=factor.cum_prod().over("Code"))

    def market(self, start: int = 0, stop: int | None = None) -> Market:
        """The market of the sessions start … stop − 1, adjusted for all splits from the beginning on.

        Raises:
            DataError: the bars cannot be read or break their schema, or a stock with bars is not listed.
        """
        sessions = self.sessions[start:stop]
        between = pl.col("Date").is_between(pl.lit(sessions[0].item()), pl.lit(sessions[-1].item()))
        bars = collect_bars(self.bars.filter(between))
        adjusted = bars.join_asof(self._splits, on="Date", by="Code", check_sortedness=False)
        return Market.of_bars(adjusted.with_columns(pl.col("factor").fill_null(1.0)), self.listed, self.index)
