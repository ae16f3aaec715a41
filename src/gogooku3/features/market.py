"""OHLCV bars as matrices, adjusted for corporate actions (splits): sessions × stocks, NaN without a bar."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, wraps
from typing import Concatenate, ParamSpec

import numpy as np
import numpy.typing as npt
import polars as pl

from gogooku3.dataset import cross_section
from gogooku3.dataset.elementwise import Bools, Floats, log
from gogooku3.dataset.schema import positions
from gogooku3.errors import DataError
from gogooku3.features.asof import AsOf
from gogooku3.features.rolling import shift

P = ParamSpec("P")


def quantity(compute: Callable[Concatenate[Market, P], Floats]) -> Callable[Concatenate[Market, P], Floats]:
    """Decorator: caches a quantity per market and arguments; the cached array is read-only."""

    @wraps(compute)
    def cached(market: Market, /, *args: P.args, **kwargs: P.kwargs) -> Floats:
        key = (compute, args, tuple(sorted(kwargs.items())))
        if key not in market.memo:
            values = compute(market, *args, **kwargs)
            values.flags.writeable = False
            market.memo[key] = values
        return market.memo[key]

    return cached


@dataclass(frozen=True, eq=False)
class Market:
    """Bars with point-in-time split adjustment, sectors, segments and the market index.

    A price at session t is divided, a volume multiplied, by the product of the adjustment factors of the sessions up
    to and including t: adjusted prices have no jump at a split, and a later split changes no earlier value (no
    look-ahead). Only ratios of adjusted prices are meaningful.

    A bar without a close does not count as a bar. A session is a date on which at least one stock has a bar.
    """

    sessions: npt.NDArray[np.datetime64]
    """[T] days, ascending."""
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
    sectors: tuple[str, ...]
    """S sector names."""
    segments: tuple[str, ...]
    """S market segment names."""
    index_T: Floats
    """Level of the market index; NaN if missing."""
    joined: Mapping[str, AsOf] = field(default_factory=dict)
    """Values of the joined tables, keyed by feature name."""
    memo: dict[Hashable, Floats] = field(default_factory=dict, init=False, repr=False)
    """Cache of `quantity`."""

    @classmethod
    def of_bars(cls, bars: pl.DataFrame, listed: pl.DataFrame, index: pl.DataFrame) -> Market:
        """Pivots bars, listing and index of the quotes schema into matrices.

        Args:
            bars: with a column `factor`, the cumulative product of the code's adjustment factors.
            listed: sectors and segments of the codes.
            index: levels of at least the bars' sessions.

        Raises:
            DataError: no bar has a close, or a stock with bars is not listed.
        """
        known = bars.with_columns(pl.col("Close").fill_null(np.nan)).filter(pl.col("Close").is_finite())
        if known.is_empty():
            raise DataError("no bar has a close", hint="check the quotes and the period in `params.yaml`")
        codes, sessions = known["Code"].unique().sort(), known["Date"].unique().sort()
        row, column = positions(known["Date"], sessions), positions(known["Code"], codes)

        def matrix(values: pl.Series) -> Floats:
            values_TS = np.full((len(sessions), len(codes)), np.nan)
            values_TS[row, column] = values.cast(pl.Float64).fill_null(np.nan).to_numpy()
            return values_TS

        return cls(
            sessions=sessions.to_numpy().astype("datetime64[D]"),
            codes=tuple(codes),
            open_TS=matrix(known["Open"] / known["factor"]),
            high_TS=matrix(known["High"] / known["factor"]),
            low_TS=matrix(known["Low"] / known["factor"]),
            close_TS=matrix(known["Close"] / known["factor"]),
            volume_TS=matrix(known["Volume"] * known["factor"]),
            turnover_TS=matrix(known["TurnoverValue"]),
            sectors=_labels(listed, "Sector33", codes),
            segments=_labels(listed, "MarketSegment", codes),
            index_T=_levels(index, sessions),
        )

    def rows(self, start: int, stop: int) -> Market:
        """The sessions start … stop − 1, with unchanged adjustment."""
        series = ("sessions", "open_TS", "high_TS", "low_TS", "close_TS", "volume_TS", "turnover_TS", "index_T")
        return replace(self, **{name: getattr(self, name)[start:stop] for name in series})

    def columns(self, start: int, stop: int) -> Market:
        """The stocks start … stop − 1, with the sector returns of the whole market."""
        series = ("open_TS", "high_TS", "low_TS", "close_TS", "volume_TS", "turnover_TS")
        values = {name: np.ascontiguousarray(getattr(self, name)[:, start:stop]) for name in series}
        labels = {name: getattr(self, name)[start:stop] for name in ("sectors", "segments")}
        part = replace(self, codes=self.codes[start:stop], **values, **labels)  # type: ignore[arg-type]
        # The return of the whole sector cannot be computed from a part of it.
        part.__dict__["sector_return_TS"] = self.sector_return_TS[:, start:stop]
        return part

    @cached_property
    def present_TS(self) -> Bools:
        """True if the stock has a bar."""
        return ~np.isnan(self.close_TS)

    @cached_property
    def sector_S(self) -> npt.NDArray[np.intp]:
        """Index of the stock's sector among the sorted sectors."""
        return _indices(self.sectors)

    @cached_property
    def segment_S(self) -> npt.NDArray[np.intp]:
        """Index of the stock's market segment among the sorted segments."""
        return _indices(self.segments)

    @cached_property
    def return_TS(self) -> Floats:
        """Log return from the last session's close; NaN unless the stock has a bar in both sessions."""
        return self.log_close_TS - shift(self.log_close_TS, 1)

    @cached_property
    def overnight_TS(self) -> Floats:
        """Log return from the last session's close to the open."""
        return self.log_open_TS - shift(self.log_close_TS, 1)

    @cached_property
    def intraday_TS(self) -> Floats:
        """Log return from the open to the close."""
        return self.log_close_TS - self.log_open_TS

    @cached_property
    def sector_return_TS(self) -> Floats:
        """Mean log return of the stock's sector, including the stock."""
        return cross_section.group_mean(self.return_TS, self.sector_S)

    @cached_property
    def log_open_TS(self) -> Floats:
        """Logarithm of the adjusted open."""
        return log(self.open_TS)

    @cached_property
    def log_high_TS(self) -> Floats:
        """Logarithm of the adjusted high."""
        return log(self.high_TS)

    @cached_property
    def log_low_TS(self) -> Floats:
        """Logarithm of the adjusted low."""
        return log(self.low_TS)

    @cached_property
    def log_close_TS(self) -> Floats:
        """Logarithm of the adjusted close."""
        return log(self.close_TS)

    @cached_property
    def log_volume_TS(self) -> Floats:
        """Logarithm of the adjusted volume; NaN if nothing was traded."""
        return log(self.volume_TS)

    @cached_property
    def index_return_T(self) -> Floats:
        """Log return of the market index from the last session."""
        level_T = log(self.index_T)
        return level_T - shift(level_T, 1)

    @cached_property
    def index_return_TS(self) -> Floats:
        """The index return, broadcast to all stocks."""
        return np.broadcast_to(self.index_return_T[:, None], self.close_TS.shape)


def _labels(listed: pl.DataFrame, column: str, codes: pl.Series) -> tuple[str, ...]:
    of_code = dict(listed.select("Code", column).iter_rows())
    unlisted = [code for code in codes if code not in of_code]
    if unlisted:
        raise DataError(
            f"{len(unlisted)} stocks have bars and are not in `listed`: {', '.join(unlisted[:5])}",
            hint="rebuild the quotes with `dvc repro quotes`",
        )
    return tuple(of_code[code] or "" for code in codes)


def _indices(names: tuple[str, ...]) -> npt.NDArray[np.intp]:
    index = {name: position for position, name in enumerate(sorted(set(names)))}
    return np.array([index[name] for name in names], np.intp)


def _levels(index: pl.DataFrame, sessions: pl.Series) -> Floats:
    level = dict(index.select("Date", "Close").drop_nulls().iter_rows())
    return np.array([level.get(session, np.nan) for session in sessions], np.float64)
