"""The market as matrices: one row per session, one column per stock, NaN where there is no bar."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from gogooku3.dataset.axes import places
from gogooku3.dataset.elementwise import Bools, Floats, divide, log
from gogooku3.dataset.rolling import shift
from gogooku3.errors import DataError


@dataclass(frozen=True, eq=False)
class Market:
    """Bars adjusted for splits as known at each session, with sectors and the market's index.

    A price at session t is divided, a volume multiplied, by the product of the adjustment factors of the sessions up
    to and including t: adjusted prices run through a split without a jump, and a later split changes nothing
    before it. Only ratios of adjusted prices mean anything.

    A bar without a close is no bar. A session is a date on which at least one stock has a bar.
    """

    sessions: npt.NDArray[np.datetime64]
    """[T] days, rising."""
    codes: tuple[str, ...]
    """S codes, sorted."""
    open_TS: Floats
    high_TS: Floats
    low_TS: Floats
    close_TS: Floats
    volume_TS: Floats
    """Adjusted number of shares."""
    turnover_TS: Floats
    """Traded value in yen."""
    sector_S: npt.NDArray[np.intp]
    """Number of the stock's sector among the sorted sectors."""
    segment_S: npt.NDArray[np.intp]
    """Number of the stock's market segment among the sorted segments."""
    index_T: Floats
    """Level of the market index; NaN where it has none."""

    @classmethod
    def from_frames(cls, bars: pl.DataFrame, listed: pl.DataFrame, index: pl.DataFrame) -> Market:
        """Lays out bars, listings and index in the schema of `gogooku3.quotes`.

        Raises:
            DataError: no bar has a close, or a stock with bars is not listed.
        """
        factor = pl.col("AdjustmentFactor").fill_null(1.0).fill_nan(1.0).cum_prod().over("Code").alias("factor")
        known = (
            bars.sort("Date", "Code")
            .with_columns(factor)
            .with_columns(pl.col("Close").fill_null(np.nan))
            .filter(pl.col("Close").is_finite())
        )
        if known.is_empty():
            raise DataError("no bar has a close", hint="check the quotes and the period in `params.yaml`")
        codes, sessions = known["Code"].unique().sort(), known["Date"].unique().sort()
        row, column = places(known["Date"], sessions), places(known["Code"], codes)

        def matrix(values: pl.Series) -> Floats:
            laid_TS = np.full((len(sessions), len(codes)), np.nan)
            laid_TS[row, column] = values.cast(pl.Float64).fill_null(np.nan).to_numpy()
            return laid_TS

        return cls(
            sessions=sessions.to_numpy().astype("datetime64[D]"),
            codes=tuple(codes),
            open_TS=matrix(known["Open"] / known["factor"]),
            high_TS=matrix(known["High"] / known["factor"]),
            low_TS=matrix(known["Low"] / known["factor"]),
            close_TS=matrix(known["Close"] / known["factor"]),
            volume_TS=matrix(known["Volume"] * known["factor"]),
            turnover_TS=matrix(known["TurnoverValue"]),
            sector_S=_groups(listed, "Sector33", codes),
            segment_S=_groups(listed, "MarketSegment", codes),
            index_T=_levels(index, sessions),
        )

    def rows(self, start: int, stop: int) -> Market:
        """The sessions start … stop − 1 alone, adjusted as in the whole."""
        series = ("sessions", "open_TS", "high_TS", "low_TS", "close_TS", "volume_TS", "turnover_TS", "index_T")
        return replace(self, **{name: getattr(self, name)[start:stop] for name in series})

    @cached_property
    def present_TS(self) -> Bools:
        """True where the stock has a bar."""
        return ~np.isnan(self.close_TS)

    @cached_property
    def return_TS(self) -> Floats:
        """Log return from the last session's close; NaN unless the stock has a bar in both sessions."""
        return log(divide(self.close_TS, shift(self.close_TS, 1)))

    @cached_property
    def overnight_TS(self) -> Floats:
        """Log return from the last session's close to the open."""
        return log(divide(self.open_TS, shift(self.close_TS, 1)))

    @cached_property
    def intraday_TS(self) -> Floats:
        """Log return from the open to the close."""
        return log(divide(self.close_TS, self.open_TS))

    @cached_property
    def log_close_TS(self) -> Floats:
        """Logarithm of the adjusted close."""
        return log(self.close_TS)

    @cached_property
    def log_volume_TS(self) -> Floats:
        """Logarithm of the adjusted volume; NaN where nothing was traded."""
        return log(self.volume_TS)

    @cached_property
    def index_return_T(self) -> Floats:
        """Log return of the market index from the last session."""
        return log(divide(self.index_T, shift(self.index_T, 1)))

    @cached_property
    def index_return_TS(self) -> Floats:
        """The index return beside every stock's own."""
        return np.broadcast_to(self.index_return_T[:, None], self.close_TS.shape)


def _groups(listed: pl.DataFrame, column: str, codes: pl.Series) -> npt.NDArray[np.intp]:
    of_code = dict(listed.select("Code", column).iter_rows())
    strangers = [code for code in codes if code not in of_code]
    if strangers:
        raise DataError(
            f"{len(strangers)} stocks have bars and are not in `listed`: {', '.join(strangers[:5])}",
            hint="make the quotes anew with `dvc repro quotes`",
        )
    names = [of_code[code] or "" for code in codes]
    number = {name: place for place, name in enumerate(sorted(set(names)))}
    return np.array([number[name] for name in names], np.intp)


def _levels(index: pl.DataFrame, sessions: pl.Series) -> Floats:
    level = dict(index.select("Date", "Close").drop_nulls().iter_rows())
    return np.array([level.get(session, np.nan) for session in sessions], np.float64)
