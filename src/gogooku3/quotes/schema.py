"""The one schema of bars, listings and index that everything after the quotes stage reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import dataframely as dy
import polars as pl


class Bars(dy.Schema):
    """Daily bars as traded, one row per stock and session, in the order of (Date, Code).

    A null price or volume is a value that the source lacks and whose row was kept: no bar, for what follows.
    """

    Code = dy.String()
    Date = dy.Date()
    Open = dy.Float64(nullable=True)
    High = dy.Float64(nullable=True)
    Low = dy.Float64(nullable=True)
    Close = dy.Float64(nullable=True)
    Volume = dy.Float64(nullable=True)
    """Shares."""
    TurnoverValue = dy.Float64(nullable=True)
    """Currency."""
    AdjustmentFactor = dy.Float64(min_exclusive=0)
    """1.0 but on a split's ex-date: 0.5 for two new shares for one; prices before are multiplied by it."""

    @dy.rule()
    def ordered(cls) -> pl.Expr:  # noqa: N805 - dataframely passes the schema
        """Each row's (Date, Code) comes after the row before."""
        date, code = pl.col("Date"), pl.col("Code")
        after = (date > date.shift()) | ((date == date.shift()) & (code > code.shift()))
        return after.fill_null(True)


class Listed(dy.Schema):
    """One row per stock, in the order of Code."""

    Code = dy.String()
    Sector33 = dy.String()
    MarketSegment = dy.String()
    ListedFrom = dy.Date()
    ListedTo = dy.Date(nullable=True)
    """Null while the stock is listed."""

    @dy.rule()
    def ordered(cls) -> pl.Expr:  # noqa: N805
        """Each row's Code comes after the row before."""
        return (pl.col("Code") > pl.col("Code").shift()).fill_null(True)


class Index(dy.Schema):
    """The market index, one row per session, in the order of Date."""

    Date = dy.Date()
    Close = dy.Float64(min_exclusive=0)

    @dy.rule()
    def ordered(cls) -> pl.Expr:  # noqa: N805
        """Each row's Date comes after the row before."""
        return (pl.col("Date") > pl.col("Date").shift()).fill_null(True)


class OracleScores(dy.Schema):
    """Expected log return of each bar's stock over the next 1, 5, 10 and 20 sessions, given all that is planted."""

    Code = dy.String()
    Date = dy.Date()
    oracle_1 = dy.Float64()
    oracle_5 = dy.Float64()
    oracle_10 = dy.Float64()
    oracle_20 = dy.Float64()


@dataclass(frozen=True)
class Oracle:
    """What the best possible model of a synthetic market would say, and how well it would do."""

    scores: dy.DataFrame[OracleScores]
    summary: dict[str, Any]
    """`planted` strengths and, per horizon, the theoretical `ic` and `rank_ic` and the realised mean RankIC."""


@dataclass(frozen=True)
class Quotes:
    """All that the quotes stage delivers."""

    bars: dy.DataFrame[Bars]
    listed: dy.DataFrame[Listed]
    index: dy.DataFrame[Index]
    report: dict[str, Any]
    """`rules`: per rule of bars its `policy`, the `count` of rows that broke it, how many were `dropped`, `examples`.
    Of a file and of J-Quants also `listed`: how many stocks have an `unknown` or a `changed` sector or segment. Of
    J-Quants also how many rows of listed stocks are `untraded`, how many bars were of `unlisted` stocks, and how many
    stocks were in `segments_left_out`."""
    oracle: Oracle | None
    """Only of a synthetic market."""
