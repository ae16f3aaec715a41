"""The schema of OHLCV bars, listing and index that all later stages read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import dataframely as dy
import polars as pl


class Bars(dy.Schema):
    """Daily bars as traded (unadjusted), one row per stock and session, sorted by (Date, Code).

    A null price or volume is missing in the source; later stages treat such a row as no bar.
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
    """Traded value, in currency."""
    AdjustmentFactor = dy.Float64(min_exclusive=0)
    """Split adjustment: 1.0 except on a split's ex-date; 0.5 for a two-for-one split; multiplies earlier prices."""

    @dy.rule()
    def ordered(cls) -> pl.Expr:  # noqa: N805 - dataframely passes the schema
        """Rows are strictly ascending in (Date, Code)."""
        date, code = pl.col("Date"), pl.col("Code")
        after = (date > date.shift()) | ((date == date.shift()) & (code > code.shift()))
        return after.fill_null(True)


class Listed(dy.Schema):
    """One row per stock, sorted by Code."""

    Code = dy.String()
    Sector33 = dy.String()
    MarketSegment = dy.String()
    ListedFrom = dy.Date()
    ListedTo = dy.Date(nullable=True)
    """Null while the stock is listed."""

    @dy.rule()
    def ordered(cls) -> pl.Expr:  # noqa: N805
        """Rows are strictly ascending in Code."""
        return (pl.col("Code") > pl.col("Code").shift()).fill_null(True)


class Index(dy.Schema):
    """The market index, one row per session, sorted by Date."""

    Date = dy.Date()
    Close = dy.Float64(min_exclusive=0)

    @dy.rule()
    def ordered(cls) -> pl.Expr:  # noqa: N805
        """Rows are strictly ascending in Date."""
        return (pl.col("Date") > pl.col("Date").shift()).fill_null(True)


class Restrictions(dy.Schema):
    """Bars whose stock cannot be bought, sold or sold short at the close, one row per bar, sorted by (Date, Code).

    A bar without a row has none of the three restrictions.
    """

    Code = dy.String()
    Date = dy.Date()
    NoBuy = dy.Bool()
    """The price closed at the day's upper limit: there are buyers only."""
    NoSell = dy.Bool()
    """The price closed at the day's lower limit: there are sellers only."""
    NoShort = dy.Bool()
    """The stock cannot be borrowed."""

    @dy.rule()
    def ordered(cls) -> pl.Expr:  # noqa: N805
        """Rows are strictly ascending in (Date, Code)."""
        date, code = pl.col("Date"), pl.col("Code")
        after = (date > date.shift()) | ((date == date.shift()) & (code > code.shift()))
        return after.fill_null(True)


class OracleScores(dy.Schema):
    """Expected log return of each bar's stock over the next 1, 5, 10 and 20 sessions, given all planted signals."""

    Code = dy.String()
    Date = dy.Date()
    oracle_1 = dy.Float64()
    oracle_5 = dy.Float64()
    oracle_10 = dy.Float64()
    oracle_20 = dy.Float64()


@dataclass(frozen=True)
class Oracle:
    """Scores of the best possible model of a synthetic market (upper bound), and their RankIC."""

    scores: dy.DataFrame[OracleScores]
    summary: dict[str, Any]
    """`planted` strengths and, per horizon, the theoretical `ic` and `rank_ic` and the realised mean RankIC."""


@dataclass(frozen=True)
class Quotes:
    """Output of the quotes stage."""

    bars: dy.DataFrame[Bars]
    listed: dy.DataFrame[Listed]
    index: dy.DataFrame[Index]
    report: dict[str, Any]
    """Validation report. `rules`: per rule its `policy`, the `count` of rows that break it, the number `dropped`,
    `examples`. File and J-Quants: `listed`, the numbers of stocks with an `unknown` or `changed` sector or segment.
    J-Quants: the numbers of `untraded` rows of listed stocks, of bars of `unlisted` stocks, and of stocks in
    `segments_left_out`."""
    oracle: Oracle | None
    """Synthetic market only."""
    restrictions: dy.DataFrame[Restrictions] | None = None
    """None if the source does not know any."""
