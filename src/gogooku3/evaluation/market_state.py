"""Market state from the OHLCV bars: closes, traded value, index return, trend and volatility per session.

Exposures, capacity and regimes are measured against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gogooku3.dataset.elementwise import log
from gogooku3.dataset.schema import positions
from gogooku3.errors import DataError
from gogooku3.evaluation.prices import Bools, Prices
from gogooku3.metrics.cross_section import Floats

MIN_RETURNS = 5
"""Minimum number of returns in the window of a stock's volatility."""

LIQUIDITY_WINDOW = 20
"""Trailing window, in sessions, of the average traded value and of the volatility; includes the current session."""

TREND = 60
"""Sessions over which the index trend is measured."""

SETTLED = 20
"""Sessions of the data after the end of a listing from which on it is a delisting. Without a listing of its own, a
source takes the last bar for the end: a stock that is merely suspended at the end of the data is not delisted."""


@dataclass(frozen=True, eq=False)
class MarketState:
    """The market over T sessions and S stocks, as known at each session's close (no look-ahead)."""

    sectors: tuple[str, ...]
    """[S] sector names."""
    close_TS: Floats
    """Split-adjusted closes, of which only ratios are meaningful; NaN where a stock has no bar."""
    traded_value_TS: Floats
    """Average traded value of the stock over the last `LIQUIDITY_WINDOW` sessions; NaN if it had no bar in them."""
    next_index_return_T: Floats
    """Simple return of the market index from this close to the next; NaN where unknown. Not known at this close."""
    trend_T: Floats
    """Log return of the index over the last `TREND` sessions; NaN where unknown."""
    volatility_T: Floats
    """Standard deviation of the index's log returns over the last `LIQUIDITY_WINDOW` sessions; NaN where unknown."""
    stock_volatility_TS: Floats
    """Standard deviation of the stock's returns between its bars in the last `LIQUIDITY_WINDOW` sessions; NaN where it
    has fewer than `MIN_RETURNS`."""
    prices: Prices
    """When the stocks can be traded, and what positions in them earn."""

    @classmethod
    def of_quotes(
        cls,
        sessions: NDArray[np.datetime64],
        codes: Sequence[str],
        bars: pl.DataFrame,
        listed: pl.DataFrame,
        index: pl.DataFrame,
        restrictions: pl.DataFrame | None = None,
    ) -> MarketState:
        """Arranges quotes, in the schema of `gogooku3.quotes`, by session and stock.

        Raises:
            DataError: a close is of a stock or session that is not in `codes` or `sessions`.
        """
        factor = pl.col("AdjustmentFactor").cum_prod().over("Code")
        closes = bars.with_columns(pl.col("Close") / factor).filter(pl.col("Close").is_finite())
        known, names = pl.Series(sessions), pl.Series(codes, dtype=pl.String)
        _require_known(closes, known, names)
        row, column = positions(closes["Date"], known), positions(closes["Code"], names)
        close_TS, value_TS = np.full((2, len(sessions), len(codes)), np.nan)
        close_TS[row, column] = closes["Close"].to_numpy()
        value_TS[row, column] = closes["TurnoverValue"].fill_null(np.nan).to_numpy()
        traded_TS = np.zeros(close_TS.shape, dtype=bool)
        traded_TS[row, column] = (closes["Volume"] != 0).fill_null(True).to_numpy()
        prices = Prices.of_closes(close_TS, traded_TS, _delisted(listed, index, sessions, codes))
        if restrictions is not None:
            prices = prices.restricted(*_restricted(restrictions, known, names))
        sector = dict(listed.select("Code", "Sector33").iter_rows())
        index_T = _levels(index, sessions)
        level_T = log(index_T)
        trend_T = np.full(len(level_T), np.nan)
        trend_T[TREND:] = level_T[TREND:] - level_T[:-TREND]
        return cls(
            sectors=tuple(sector.get(code) or "" for code in codes),
            close_TS=close_TS,
            traded_value_TS=_average_traded_value(value_TS),
            next_index_return_T=np.append(index_T[1:] / index_T[:-1] - 1, np.nan),
            trend_T=trend_T,
            volatility_T=_volatility(level_T),
            stock_volatility_TS=stock_volatility(prices.next_return_TS),
            prices=prices,
        )

    def rows(self, start: int, stop: int) -> MarketState:
        """Only the sessions start … stop − 1."""
        series = (
            *("close_TS", "traded_value_TS", "next_index_return_T", "trend_T", "volatility_T"),
            "stock_volatility_TS",
        )
        cut = {name: getattr(self, name)[start:stop] for name in series}
        return replace(self, prices=self.prices.rows(start, stop), **cut)


def _require_known(closes: pl.DataFrame, sessions: pl.Series, codes: pl.Series) -> None:
    unknown = closes.filter(~(pl.col("Code").is_in(codes.implode()) & pl.col("Date").is_in(sessions.implode())))
    if not unknown.is_empty():
        stocks = unknown["Code"].unique().sort()
        raise DataError(
            f"{unknown.height} bars of the evaluated sessions, of {len(stocks)} stocks such as"
            f" {', '.join(stocks.head(5))}, are not in the dataset: without them the result has selection"
            " (survivorship) bias",
            hint="build the dataset from the same quotes (`dvc repro dataset`), with all stocks",
        )


def _restricted(restrictions: pl.DataFrame, sessions: pl.Series, codes: pl.Series) -> list[Bools]:
    """`NoBuy`, `NoSell` and `NoShort`, [T, S] each."""
    inside = restrictions.filter(pl.col("Date").is_in(sessions.implode()) & pl.col("Code").is_in(codes.implode()))
    row, column = positions(inside["Date"], sessions), positions(inside["Code"], codes)
    arrays = [np.zeros((len(sessions), len(codes)), dtype=bool) for _ in range(3)]
    for array_TS, name in zip(arrays, ("NoBuy", "NoSell", "NoShort"), strict=True):
        array_TS[row, column] = inside[name].to_numpy()
    return arrays


def _delisted(
    listed: pl.DataFrame, index: pl.DataFrame, sessions: NDArray[np.datetime64], codes: Sequence[str]
) -> NDArray[np.int64]:
    """Row of the first session after the end of each stock's listing, [S]; the number of sessions if it has none."""
    never = np.iinfo(np.int64).max
    whole = index["Date"].sort().to_numpy().astype("datetime64[D]")
    ends = dict(listed.select("Code", "ListedTo").drop_nulls().iter_rows())
    end_S = np.array([ends.get(code) for code in codes], dtype="datetime64[D]")
    settled_S = len(whole) - np.searchsorted(whole, end_S, side="right") >= SETTLED
    row_S = np.searchsorted(sessions.astype("datetime64[D]"), end_S, side="right")
    return np.where(~np.isnat(end_S) & settled_S, row_S, never)


def _levels(index: pl.DataFrame, sessions: NDArray[np.datetime64]) -> Floats:
    dates = pl.DataFrame({"Date": pl.Series(sessions)})
    joined = dates.join(index.select("Date", "Close"), on="Date", how="left", maintain_order="left")
    return joined["Close"].fill_null(np.nan).to_numpy()


def _average_traded_value(value_TS: Floats) -> Floats:
    """Trailing mean of the traded value, over the existing bars of the window."""
    total_TS = _trailing_sum(np.nan_to_num(value_TS, nan=0.0))
    count_TS = _trailing_sum(np.isfinite(value_TS).astype(np.float64))
    mean_TS: Floats = np.full(value_TS.shape, np.nan)
    np.divide(total_TS, count_TS, out=mean_TS, where=count_TS > 0)
    return mean_TS


def stock_volatility(next_return_TS: Floats) -> Floats:
    """`MarketState.stock_volatility_TS` from the returns to each next close, of which those before a close count."""
    sessions = len(next_return_TS)
    return_TS = np.full(next_return_TS.shape, np.nan)
    return_TS[1:] = next_return_TS[:-1]
    known_TS, return_TS = np.isfinite(return_TS), np.nan_to_num(return_TS, nan=0.0)
    count_TS, total_TS, squares_TS = np.zeros((3, *return_TS.shape))
    lags = range(min(LIQUIDITY_WINDOW, sessions))
    for lag in lags:
        count_TS[lag:] += known_TS[: sessions - lag]
        total_TS[lag:] += return_TS[: sessions - lag]
    mean_TS = total_TS / np.maximum(count_TS, 1)
    for lag in lags:
        deviation_TS = np.where(known_TS[: sessions - lag], return_TS[: sessions - lag] - mean_TS[lag:], 0.0)
        squares_TS[lag:] += deviation_TS * deviation_TS
    return np.where(count_TS >= MIN_RETURNS, np.sqrt(squares_TS / np.maximum(count_TS - 1, 1)), np.nan)


def _trailing_sum(x_TS: Floats) -> Floats:
    """Sum over each session and up to `LIQUIDITY_WINDOW` − 1 sessions before it."""
    total_TS = np.cumsum(x_TS, axis=0)
    total_TS[LIQUIDITY_WINDOW:] -= total_TS[:-LIQUIDITY_WINDOW].copy()
    return total_TS


def _volatility(level_T: Floats) -> Floats:
    returns = np.diff(level_T)
    volatility_T = np.full(len(level_T), np.nan)
    if len(returns) >= LIQUIDITY_WINDOW:
        windows = np.lib.stride_tricks.sliding_window_view(returns, LIQUIDITY_WINDOW)
        volatility_T[LIQUIDITY_WINDOW:] = windows.std(axis=1, ddof=1)
    return volatility_T
