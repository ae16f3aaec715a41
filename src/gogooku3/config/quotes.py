"""Data source of the OHLCV bars: section `quotes` of `params.yaml`."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from gogooku3.config.section import require, section

Policy = Literal["error", "drop", "keep"]
"""Handling of rows that break a validation rule."""


@section
class Rules:
    """One policy per validation rule of daily bars."""

    duplicate_key: Policy
    """The same (Date, Code) twice; `drop` keeps the first, `keep` is refused."""
    unsorted: Policy
    """Dates of a code that go backwards in file order; `keep` sorts them."""
    missing_value: Policy
    """A price or a volume that is null or NaN."""
    non_positive_price: Policy
    negative_volume: Policy
    high_below_low: Policy
    outside_range: Policy
    """An open or a close outside high and low."""
    future_date: Policy
    """A bar later than `quotes.end`."""

    def __post_init__(self) -> None:
        require(
            self.duplicate_key != "keep",
            "`quotes.rules.duplicate_key` is keep, but (Date, Code) is the key of everything that follows",
            "choose `error` or `drop`",
        )


@section
class Inputs:
    """The files that the quotes stage reads; `dvc.yaml` hashes each of them."""

    bars: str
    listed: str
    index: str


@section
class Planted:
    """Strength of each planted alpha signal: its cross-sectional correlation with the next session's return."""

    slow: float
    reversal: float
    frequency: float
    neighbours: float

    def __post_init__(self) -> None:
        for name in ("slow", "reversal", "frequency", "neighbours"):
            value = getattr(self, name)
            require(0 <= value <= 0.5, f"`quotes.planted.{name}` is {value}", "use a correlation from 0 to 0.5")


@section
class SyntheticQuotes:
    """A synthetic market, generated from a seed on the sessions of the Tokyo exchange."""

    source: Literal["synthetic"]
    inputs: Inputs
    seed: int
    stocks: int
    start: date
    end: date
    sectors: int
    """Number of sectors, at most 33."""
    cluster_size: int
    """Correlated stocks within a sector; the neighbour signal acts within a cluster."""
    listed_later: float
    """Share of the stocks with a listing date inside the period."""
    delisted: float
    """Share of the stocks that are delisted before the end."""
    suspended: float
    """Probability that a stock has no bar in a session."""
    splits: float
    """Splits per stock and year."""
    planted: Planted

    def __post_init__(self) -> None:
        require(self.stocks >= 2, f"`quotes.stocks` is {self.stocks}", "a ranking needs at least 2 stocks")
        require(1 <= self.sectors <= 33, f"`quotes.sectors` is {self.sectors}", "use 1 to 33")
        require(self.cluster_size >= 1, f"`quotes.cluster_size` is {self.cluster_size}", "use 1 or more")
        for name in ("listed_later", "delisted", "suspended"):
            value = getattr(self, name)
            require(0 <= value <= 0.5, f"`quotes.{name}` is {value}", "use a share from 0 to 0.5")
        require(self.splits >= 0, f"`quotes.splits` is {self.splits}", "use 0 or more a year")
        require(
            self.start < self.end,
            f"`quotes.start` {self.start} is not before `quotes.end` {self.end}",
            "swap them, or extend the period",
        )


@section
class BarColumns:
    """Column names of the bars file; null if the file has no such column."""

    Code: str
    Date: str
    Open: str
    High: str
    Low: str
    Close: str
    Volume: str
    TurnoverValue: str | None
    """Null: close times volume."""
    AdjustmentFactor: str | None
    """Null: 1.0, the prices are already split-adjusted."""


@section
class ListedColumns:
    """Column names of the listing file; null if the file has no such column."""

    Code: str
    Sector33: str | None
    MarketSegment: str | None


@section
class IndexColumns:
    """Column names of the index file."""

    Date: str
    Close: str


@section
class FileQuotes:
    """Daily bars from a parquet or CSV file with custom column names."""

    source: Literal["file"]
    inputs: Inputs
    start: date
    end: date
    bar_columns: BarColumns
    listed_columns: ListedColumns
    """Read from `inputs.listed`, which may be the bars file itself."""
    index_columns: IndexColumns
    """Read from `inputs.index`; if that is the bars file, the index is the equal-weight mean of the stocks."""
    rules: Rules

    def __post_init__(self) -> None:
        require(
            self.start < self.end,
            f"`quotes.start` {self.start} is not before `quotes.end` {self.end}",
            "swap them, or extend the period",
        )


Segment = Literal[
    "1st Section",
    "2nd Section",
    "Mothers",
    "JASDAQ Standard",
    "JASDAQ Growth",
    "Prime",
    "Standard",
    "Growth",
    "TOKYO PRO MARKET",
    "Others",
]
"""Market segments of the Tokyo exchange: until 2022-04-01, since 2022-04-04, and those that never changed."""


@section
class JQuantsQuotes:
    """Daily bars, listing and TOPIX from J-Quants, from the folder that `gogooku3 jquants download` writes."""

    source: Literal["jquants"]
    inputs: Inputs
    """The same folder three times."""
    start: date
    end: date
    segments: list[Segment]
    """Market segments of the universe; a stock is included in the sessions in which it belongs to one of them."""
    rules: Rules

    def __post_init__(self) -> None:
        require(
            self.start < self.end,
            f"`quotes.start` {self.start} is not before `quotes.end` {self.end}",
            "swap them, or extend the period",
        )
        require(
            self.inputs.bars == self.inputs.listed == self.inputs.index,
            f"`quotes.inputs` names `{self.inputs.bars}`, `{self.inputs.listed}` and `{self.inputs.index}`",
            "set all three to the folder that `gogooku3 jquants download` wrote",
        )


Quotes = Annotated[SyntheticQuotes | FileQuotes | JQuantsQuotes, Field(discriminator="source")]
"""Section `quotes`, by its `source`."""
