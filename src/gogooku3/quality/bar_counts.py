"""Counts of bars by session and by stock, collected month by month."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

Counts = npt.NDArray[np.int64]


class BarCounts:
    """Bar counts of a dataset, updated month by month.

    Shape letters: M calendar months, T sessions.
    """

    def __init__(self, months: Sequence[str]) -> None:
        self._months = np.array(months, "datetime64[M]")
        self._by_session: list[pl.DataFrame] = []
        self._by_code = pl.DataFrame(schema={"Code": pl.String, "bars": pl.UInt32, "first": pl.Date, "last": pl.Date})
        self.stocks_M: Counts = np.zeros(len(months), np.int64)
        """Stocks with a bar in the month."""

    def add(self, month: int, keys: pl.DataFrame) -> Counts:
        """Adds a month's `Date` and `Code`, sorted by both.

        Returns:
            For each row, the number of bars of its stock so far, including this one.
        """
        self.stocks_M[month] = keys["Code"].n_unique()
        self._by_session.append(keys.group_by("Date", maintain_order=True).agg(bars=pl.len()))
        before = self._by_code.select("Code", "bars")
        in_month = pl.int_range(1, pl.len() + 1, dtype=pl.UInt32).over("Code")
        ages = keys.with_columns(age=in_month).join(before, on="Code", how="left", maintain_order="left")
        own = keys.group_by("Code").agg(bars=pl.len(), first=pl.col("Date").min(), last=pl.col("Date").max())
        self._by_code = (
            pl.concat([self._by_code, own])
            .group_by("Code")
            .agg(pl.col("bars").sum(), pl.col("first").min(), pl.col("last").max())
        )
        return ages.select(pl.col("age") + pl.col("bars").fill_null(0)).to_series().to_numpy().astype(np.int64)

    @property
    def stocks(self) -> int:
        """Stocks with a bar."""
        return self._by_code.height

    @property
    def left(self) -> int:
        """Stocks whose last bar is before the last session."""
        return self._by_code.filter(pl.col("last") < pl.col("last").max()).height

    @property
    def sessions_T(self) -> npt.NDArray[np.datetime64]:
        """Dates with a bar, ascending."""
        return pl.concat(self._by_session)["Date"].to_numpy().astype("datetime64[D]")

    @property
    def bars_T(self) -> Counts:
        """Stocks with a bar in the session."""
        return pl.concat(self._by_session)["bars"].to_numpy().astype(np.int64)

    @property
    def listed_T(self) -> Counts:
        """Expected bars: stocks between their first and their last bar."""
        first, last = self.position(self._by_code["first"]), self.position(self._by_code["last"])
        change = np.bincount(first, minlength=len(self.bars_T) + 1)
        change -= np.bincount(last + 1, minlength=len(self.bars_T) + 1)
        return np.cumsum(change)[:-1].astype(np.int64)

    @property
    def month_T(self) -> Counts:
        """Index of each session's month."""
        months: Counts = (self.sessions_T.astype("datetime64[M]") - self._months[0]).astype(np.int64)
        return months

    def position(self, dates: pl.Series) -> Counts:
        """Index of each date among the sessions; of the next session if the date is not a session."""
        return np.searchsorted(self.sessions_T, dates.to_numpy().astype("datetime64[D]")).astype(np.int64)

    def by_month(self, counts_T: Counts) -> Counts:
        """[M] sums over the sessions of each month."""
        sums = np.zeros(len(self._months), np.int64)
        np.add.at(sums, self.month_T, counts_T)
        return sums

    @property
    def sessions_M(self) -> Counts:
        """Sessions of each month."""
        return self.by_month(np.ones_like(self.bars_T))

    @property
    def weekdays_M(self) -> Counts:
        """Weekdays (Monday to Friday) of each month, between the first and the last session."""
        begin, end = self.sessions_T[0], self.sessions_T[-1] + 1
        starts = self._months.astype("datetime64[D]").clip(begin, end)
        stops = (self._months + 1).astype("datetime64[D]").clip(begin, end)
        return np.busday_count(starts, stops).astype(np.int64)
