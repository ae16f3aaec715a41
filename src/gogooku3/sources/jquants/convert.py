"""The raw folder becomes quotes: offline, and the same bytes for the same folder.

Everything is taken as the exchange had it on the session itself. J-Quants gives a row to every listed issue and
session, without prices where nothing was traded: a suspended stock, or one whose price sat at the day's limit with
orders on one side only. Such a row stays, without values: no bar, but a split on it counts. So do the sessions on which
a stock was in a market segment that is not taken, between those on which it was in one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from gogooku3.config.quotes import JQuantsQuotes
from gogooku3.errors import DataError, abbreviate
from gogooku3.quotes.schema import Bars, Index, Listed, Quotes
from gogooku3.sources.jquants.answers import Kind
from gogooku3.sources.jquants.codes import SECTORS, SEGMENTS, named
from gogooku3.sources.jquants.raw import RawFolder
from gogooku3.sources.rules import PRICES, VALUES, enforce

_KEY = ("Date", "Code")
_NAMES = {"O": "Open", "H": "High", "L": "Low", "C": "Close", "Vo": "Volume", "Va": "TurnoverValue"}


def make(params: JQuantsQuotes) -> Quotes:
    """Reads the raw folder and brings it into the one schema.

    Raises:
        DataError: the folder is not whole, or holds fewer than two stocks of the period and segments; a code of a
            sector or segment has no name; rules are broken whose policy is `error`; or TOPIX lacks a session on which
            stocks were traded.
    """
    raw = RawFolder(Path(params.inputs.bars))
    issues = _issues(raw, params)
    stocks = _stocks(issues)
    if len(stocks) < 2:
        raise DataError(
            f"`{raw.path}` holds {len(stocks)} stocks of {', '.join(params.segments)} in {params.start} to"
            f" {params.end}; a ranking needs at least 2",
            hint="`gogooku3 jquants list` says what the folder holds; change `quotes.start`, `end` or `segments`",
        )
    rows, unlisted = _rows(raw, params, issues, stocks)
    bars, rules = _bars(rows, params)
    return Quotes(
        bars=Bars.validate(bars),
        listed=Listed.validate(stocks.select("Code", "Sector33", "MarketSegment", "ListedFrom", "ListedTo")),
        index=Index.validate(_index(raw, params, bars)),
        report={"rules": rules, "listed": _changes(stocks)} | _left_out(issues, bars, unlisted),
        oracle=None,
    )


def _read(raw: RawFolder, params: JQuantsQuotes, kind: Kind, *columns: str) -> pl.DataFrame:
    """A kind's rows of the period, in the order of the key."""
    months = [month for month in raw.months if f"{params.start:%Y-%m}" <= month <= f"{params.end:%Y-%m}"]
    if not months:
        raise DataError(
            f"`{raw.path}` holds no month of {params.start} to {params.end}",
            hint="`gogooku3 jquants download` fills it, `gogooku3 jquants list` says what it holds",
        )
    inside = pl.col("Date").is_between(params.start, params.end)
    return pl.concat([raw.read(kind, month).select(*columns).filter(inside) for month in months])


def _issues(raw: RawFolder, params: JQuantsQuotes) -> pl.DataFrame:
    """Every issue and session of the listing, with the segment's name and whether it is taken."""
    listing = _read(raw, params, "listed", *_KEY, "S33", "Mkt")
    listing = listing.with_columns(MarketSegment=named(listing["Mkt"], SEGMENTS, "the market segments"))
    return listing.with_columns(taken=pl.col("MarketSegment").is_in(params.segments))


def _stocks(issues: pl.DataFrame) -> pl.DataFrame:
    """The stocks that were ever in a segment that is taken, as `Listed` has them, and how often their groups changed.

    Sector and segment are those of the stock's first session: what it is reclassified to later must not reach back.
    """
    last = issues["Date"].max()
    stocks = (
        issues.filter("taken")
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
    """The rows of the stocks while they are listed, without values where they are not taken; how many were unlisted."""
    lives = stocks.select("Code", "ListedFrom", pl.col("ListedTo").fill_null(params.end))
    rows = (
        _read(raw, params, "bars", *_KEY, *_NAMES, "AdjFactor")
        .rename(_NAMES)
        .join(lives, on="Code", how="inner", maintain_order="left")
        .filter(pl.col("Date").is_between("ListedFrom", "ListedTo"))
        .join(issues.select(*_KEY, "taken"), on=_KEY, how="left", maintain_order="left")
    )
    seen = pl.when("taken").then(pl.col(*_NAMES.values()))
    return rows.with_columns(seen), rows["taken"].null_count()


def _bars(rows: pl.DataFrame, params: JQuantsQuotes) -> tuple[pl.DataFrame, dict[str, Any]]:
    """The rows as bars, and the report of the rules; a bar that a rule drops stays as a row without values."""
    wrong = rows.filter(pl.col("AdjFactor") <= 0)
    if not wrong.is_empty():
        day, code, factor = wrong.select(*_KEY, "AdjFactor").row(0)
        raise DataError(
            f"`{params.inputs.bars}` holds the adjustment factor {factor} for {code} on {day} ({len(wrong)} such rows)",
            hint="a factor multiplies the prices before its date and is above 0; ask J-Quants",
        )
    traded = pl.any_horizontal(pl.col(*PRICES).is_not_null(), pl.col("Volume") > 0)
    good, rules = enforce(
        rows.filter(traded).select("Code", "Date", *VALUES, "TurnoverValue"), params.rules, params.end
    )
    factors = rows.select("Code", "Date", AdjustmentFactor=pl.col("AdjFactor").fill_null(1.0))
    bars = factors.join(good, on=_KEY, how="left").sort(_KEY)
    return bars.select("Code", "Date", *VALUES, "TurnoverValue", "AdjustmentFactor"), rules


def _index(raw: RawFolder, params: JQuantsQuotes, bars: pl.DataFrame) -> pl.DataFrame:
    """TOPIX on the sessions on which there is a bar."""
    sessions = bars.filter(pl.col("Close").is_not_null()).select(pl.col("Date").unique().sort())
    topix = _read(raw, params, "topix", "Date", "C").rename({"C": "Close"})
    index = sessions.join(topix, on="Date", how="left", maintain_order="left")
    wrong = index.filter(~(pl.col("Close") > 0).fill_null(False))
    if not wrong.is_empty():
        raise DataError(
            f"TOPIX in `{raw.path}` has no positive close on {len(wrong)} sessions, such as"
            f" {abbreviate(wrong['Date'])}",
            hint=f"`gogooku3 jquants download {raw.path} --again --from {wrong['Date'][0]}` asks for it again",
        )
    return index


def _changes(stocks: pl.DataFrame) -> dict[str, Any]:
    """How many stocks have had several sectors or segments, in the form that quotes of a file have."""
    groups = {"Sector33": "S33 groups", "MarketSegment": "MarketSegment groups"}
    return {name: {"unknown": 0, "changed": int((stocks[column] > 1).sum())} for name, column in groups.items()}


def _left_out(issues: pl.DataFrame, bars: pl.DataFrame, unlisted: int) -> dict[str, Any]:
    others = (
        issues.filter(~pl.col("taken")).group_by("MarketSegment").agg(pl.col("Code").n_unique()).sort("MarketSegment")
    )
    return {
        "untraded": bars["Close"].null_count(),
        "unlisted": unlisted,
        "segments_left_out": dict(others.iter_rows()),
    }
