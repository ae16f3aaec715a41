"""Converts the raw J-Quants folder to quotes: offline and deterministic.

All values are point in time, as the exchange published them in the session itself. J-Quants has a row for every listed
issue and session, without prices if nothing was traded: a suspended stock, or one at its daily price limit with orders
on one side only. Such a row is kept without values: it is no bar, but its split counts. The same holds for sessions in
which a stock temporarily belongs to a market segment outside the universe.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from gogooku3.config.quotes import JQuantsQuotes
from gogooku3.errors import DataError, abbreviate
from gogooku3.quotes.schema import Bars, Index, Listed, Quotes, Restrictions
from gogooku3.sources.jquants.codes import SECTORS, SEGMENTS, named
from gogooku3.sources.jquants.raw import RawFolder
from gogooku3.sources.jquants.responses import Kind
from gogooku3.sources.rules import PRICES, VALUES, enforce

_KEY = ("Date", "Code")
_LENDABLE = "2"
"""`Mrgn` of a stock that can be borrowed for a short sale (貸借)."""
_NAMES = {"O": "Open", "H": "High", "L": "Low", "C": "Close", "Vo": "Volume", "Va": "TurnoverValue"}


def make(params: JQuantsQuotes) -> Quotes:
    """Reads the raw folder and converts it to the quotes schema.

    Raises:
        DataError: the folder is damaged, or has fewer than two stocks of the period and segments; a sector or segment
            code is unknown; a rule with the policy `error` is broken; or TOPIX lacks a session in which stocks were
            traded.
    """
    raw = RawFolder(Path(params.inputs.bars))
    issues = _issues(raw, params)
    stocks = _stocks(issues)
    if len(stocks) < 2:
        raise DataError(
            f"`{raw.path}` has {len(stocks)} stocks of {', '.join(params.segments)} from {params.start} to"
            f" {params.end}; a ranking needs at least 2",
            hint="see the folder's content with `gogooku3 jquants list`; change `quotes.start`, `end` or `segments`",
        )
    rows, unlisted = _rows(raw, params, issues, stocks)
    bars, rules = _bars(rows, params)
    return Quotes(
        bars=Bars.validate(bars),
        listed=Listed.validate(stocks.select("Code", "Sector33", "MarketSegment", "ListedFrom", "ListedTo")),
        index=Index.validate(_index(raw, params, bars)),
        report={"rules": rules, "listed": _changes(stocks)} | _left_out(issues, bars, unlisted),
        oracle=None,
        restrictions=Restrictions.validate(_restrictions(rows, issues, bars)),
    )


def _read(raw: RawFolder, params: JQuantsQuotes, kind: Kind, *columns: str) -> pl.DataFrame:
    """The rows of a kind within the period, sorted by key."""
    months = [month for month in raw.months if f"{params.start:%Y-%m}" <= month <= f"{params.end:%Y-%m}"]
    if not months:
        raise DataError(
            f"`{raw.path}` has no month from {params.start} to {params.end}",
            hint="fill it with `gogooku3 jquants download`; see its content with `gogooku3 jquants list`",
        )
    inside = pl.col("Date").is_between(params.start, params.end)
    return pl.concat([raw.read(kind, month).select(*columns).filter(inside) for month in months])


def _issues(raw: RawFolder, params: JQuantsQuotes) -> pl.DataFrame:
    """Every issue and session of the listing, with the segment's name and whether it belongs to the universe."""
    listing = _read(raw, params, "listed", *_KEY, "S33", "Mkt", "Mrgn")
    listing = listing.with_columns(MarketSegment=named(listing["Mkt"], SEGMENTS, "the market segments"))
    return listing.with_columns(included=pl.col("MarketSegment").is_in(params.segments))


def _stocks(issues: pl.DataFrame) -> pl.DataFrame:
    """The stocks of the universe in the form of `Listed`, and the number of sectors and segments of each.

    Sector and segment are those of the stock's first session: a later reclassification would be look-ahead.
    """
    last = issues["Date"].max()
    stocks = (
        issues.filter("included")
        .sort("Date", maintain_order=True)
        .group_by("Code")
        .agg(
            pl.col("S33", "MarketSegment").first(),
            pl.col("S33", "MarketSegment").n_unique().name.suffix(" groups"),
            ListedFrom=pl.col("Date").first(),
            ListedTo=pl.col("Date").last(),
        )
        .with_columns(ListedTo=pl.when(pl.col("ListedTo") < last).then("ListedTo"))
        .sort("Code")
    )
    return stocks.with_columns(Sector33=named(stocks["S33"], SECTORS, "the sectors"))


def _rows(
    raw: RawFolder, params: JQuantsQuotes, issues: pl.DataFrame, stocks: pl.DataFrame
) -> tuple[pl.DataFrame, int]:
    """The stocks' rows while listed, without values while outside the universe; and the number of unlisted rows."""
    listed = stocks.select("Code", "ListedFrom", pl.col("ListedTo").fill_null(params.end))
    rows = (
        _read(raw, params, "bars", *_KEY, *_NAMES, "UL", "LL", "AdjFactor")
        .rename(_NAMES)
        .join(listed, on="Code", how="inner", maintain_order="left")
        .filter(pl.col("Date").is_between("ListedFrom", "ListedTo"))
        .join(issues.select(*_KEY, "included"), on=_KEY, how="left", maintain_order="left")
    )
    values = pl.when("included").then(pl.col(*_NAMES.values()))
    return rows.with_columns(values), rows["included"].null_count()


def _bars(rows: pl.DataFrame, params: JQuantsQuotes) -> tuple[pl.DataFrame, dict[str, Any]]:
    """The rows as bars, and the validation report; a dropped bar remains as a row without values."""
    invalid = rows.filter(pl.col("AdjFactor") <= 0)
    if not invalid.is_empty():
        day, code, factor = invalid.select(*_KEY, "AdjFactor").row(0)
        raise DataError(
            f"`{params.inputs.bars}` has the adjustment factor {factor} for {code} on {day} ({len(invalid)} such rows);"
            " a factor multiplies the prices before its date and is above 0",
            hint="ask J-Quants",
        )
    traded = pl.any_horizontal(pl.col(*PRICES).is_not_null(), pl.col("Volume") > 0)
    valid, rules = enforce(
        rows.filter(traded).select("Code", "Date", *VALUES, "TurnoverValue"), params.rules, params.end
    )
    factors = rows.select("Code", "Date", AdjustmentFactor=pl.col("AdjFactor").fill_null(1.0))
    bars = factors.join(valid, on=_KEY, how="left").sort(_KEY)
    return bars.select("Code", "Date", *VALUES, "TurnoverValue", "AdjustmentFactor"), rules


def _restrictions(rows: pl.DataFrame, issues: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """The bars that close at the day's price limit, where shares are allotted at best, or that cannot be borrowed."""
    marked = (
        bars.filter(pl.col("Close").is_not_null())
        .select("Code", "Date", "High", "Low", "Close")
        .join(rows.select(*_KEY, "UL", "LL"), on=_KEY, how="left", maintain_order="left")
        .join(issues.select(*_KEY, "Mrgn"), on=_KEY, how="left", maintain_order="left")
        .select(
            "Code",
            "Date",
            NoBuy=((pl.col("UL") == "1") & (pl.col("Close") == pl.col("High"))).fill_null(False),
            NoSell=((pl.col("LL") == "1") & (pl.col("Close") == pl.col("Low"))).fill_null(False),
            NoShort=(pl.col("Mrgn") != _LENDABLE).fill_null(True),
        )
    )
    return marked.filter(pl.any_horizontal("NoBuy", "NoSell", "NoShort"))


def _index(raw: RawFolder, params: JQuantsQuotes, bars: pl.DataFrame) -> pl.DataFrame:
    """TOPIX in the sessions with a bar."""
    sessions = bars.filter(pl.col("Close").is_not_null()).select(pl.col("Date").unique().sort())
    topix = _read(raw, params, "topix", "Date", "C").rename({"C": "Close"})
    index = sessions.join(topix, on="Date", how="left", maintain_order="left")
    invalid = index.filter(~(pl.col("Close") > 0).fill_null(False))
    if not invalid.is_empty():
        raise DataError(
            f"TOPIX in `{raw.path}` has no positive close on {len(invalid)} sessions, such as"
            f" {abbreviate(invalid['Date'])}",
            hint=f"fetch it again with `gogooku3 jquants download {raw.path} --again --from {invalid['Date'][0]}`",
        )
    return index


def _changes(stocks: pl.DataFrame) -> dict[str, Any]:
    """The number of stocks with several sectors or segments, in the same form as for a file source."""
    groups = {"Sector33": "S33 groups", "MarketSegment": "MarketSegment groups"}
    return {name: {"unknown": 0, "changed": int((stocks[column] > 1).sum())} for name, column in groups.items()}


def _left_out(issues: pl.DataFrame, bars: pl.DataFrame, unlisted: int) -> dict[str, Any]:
    others = (
        issues.filter(~pl.col("included"))
        .group_by("MarketSegment")
        .agg(pl.col("Code").n_unique())
        .sort("MarketSegment")
    )
    return {
        "untraded": bars["Close"].null_count(),
        "unlisted": unlisted,
        "segments_left_out": dict(others.iter_rows()),
    }
