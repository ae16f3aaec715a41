"""Calendar and universe of a plan: the sessions, and the stocks that trade in each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gogooku3.config.quotes import SyntheticQuotes
from gogooku3.dataset.contents import Contents
from gogooku3.errors import DataError
from gogooku3.quotes.folder import scan_bars
from gogooku3.quotes.table import UNREADABLE


@dataclass(frozen=True, eq=False)
class Market:
    """T sessions and S stocks."""

    sessions: NDArray[np.datetime64]
    """[T] dates, ascending."""
    trading_TS: NDArray[np.bool_]
    """True if the stock has a bar with a close; of a synthetic market, if it is listed."""
    share: float = 1.0
    """Probability that a stock of `trading_TS` has a bar."""

    @property
    def stocks(self) -> int:
        """Number of stocks with a bar."""
        return int(self.trading_TS.shape[1])

    def scored_T(self, horizon: int) -> NDArray[np.float64]:
        """[T] stocks with a score and a target over the horizon: those with a bar in both sessions.

        Where bars are not known yet, a number that next to no session exceeds: 4 standard deviations above the mean.
        """
        both_TS = self.trading_TS[:-horizon] & self.trading_TS[horizon:]
        count_T, p = both_TS.sum(axis=1), self.share**2
        most_T = np.zeros(len(self.sessions))
        most_T[: len(count_T)] = np.minimum(count_T, count_T * p + 4 * np.sqrt(count_T * p * (1 - p)))
        return most_T

    def blocks_T(self, sessions: int) -> NDArray[np.int64]:
        """Stocks that trade in the `sessions` from each session on; T − `sessions` + 1 blocks."""
        until_TS = np.zeros((len(self.sessions) + 1, self.stocks), np.int32)
        np.cumsum(self.trading_TS, axis=0, out=until_TS[1:])
        count_T: NDArray[np.int64] = (until_TS[sessions:] > until_TS[:-sessions]).sum(axis=1)
        return count_T


@lru_cache(maxsize=8)
def listed(params: SyntheticQuotes) -> Market | None:
    """The market that the parameters describe, before it is simulated; None if no stock is ever listed.

    Raises:
        ConfigError: the exchange has no sessions in the period, there are too many stocks, or the signals are too
            strong.
    """
    from gogooku3.sources.synthetic import universe
    from gogooku3.sources.synthetic.alpha_signals import Expectation
    from gogooku3.sources.synthetic.market import calendar

    sessions = calendar(params).to_numpy().astype("datetime64[D]")
    stocks = universe.draw(params)
    Expectation(params.planted, stocks)
    number_T1 = np.arange(len(sessions))[:, None]
    listed_TS = (stocks.first_S <= number_T1) & (number_T1 <= stocks.last_S)
    return _of(sessions, listed_TS, share=1 - params.suspended)


def read_quotes(folder: Path) -> Market | None:
    """The market of a quotes folder; None if it cannot be read: the stage that reads it reports why."""
    try:
        return _of_bars(scan_bars(folder).filter(pl.col("Close").is_finite()))
    except (DataError, *UNREADABLE):
        return None


def read_dataset(folder: Path) -> Market | None:
    """The market of a dataset, which has a row of targets per bar; None like `read_quotes`."""
    try:
        months = [folder / name for name in Contents.read(folder).names("targets")]
        # One by one: under an emulated processor, Polars ends in a segmentation fault when it scans several files.
        keys = [pl.read_parquet(month, columns=["Date", "Code"], glob=False) for month in months]
        return _of_bars(pl.concat(keys).lazy()) if keys else None
    except (DataError, *UNREADABLE):
        return None


def _of_bars(bars: pl.LazyFrame) -> Market | None:
    keys = bars.select("Date", pl.col("Code").cast(pl.String)).collect()
    dates, codes = keys["Date"].unique().sort(), keys["Code"].unique().sort()
    trading_TS = np.zeros((len(dates), len(codes)), bool)
    trading_TS[dates.search_sorted(keys["Date"]), codes.search_sorted(keys["Code"])] = True
    return _of(dates.to_numpy().astype("datetime64[D]"), trading_TS)


def _of(sessions: NDArray[np.datetime64], trading_TS: NDArray[np.bool_], share: float = 1.0) -> Market | None:
    """The market without sessions and stocks that have no bar; None if nothing is left."""
    trading_TS = trading_TS[:, trading_TS.any(axis=0)]
    open_T = trading_TS.any(axis=1)
    return Market(sessions[open_T], trading_TS[open_T], share) if open_T.any() else None
