"""Data source: daily OHLCV bars from a user's parquet or CSV files with custom column names."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from gogooku3.config.quotes import FileQuotes
from gogooku3.errors import DataError
from gogooku3.quotes import table
from gogooku3.quotes.schema import Bars, Index, Listed, Quotes
from gogooku3.sources.equal_weight_index import equal_weight_index
from gogooku3.sources.rules import VALUES, enforce

ONE_GROUP = "all"
"""Sector and segment of all stocks if the file has no such column."""
UNKNOWN = "unknown"
"""Sector or segment of a stock that is missing in the listing."""


def make(params: FileQuotes) -> Quotes:
    """Reads the files, enforces the validation rules and converts everything to the quotes schema.

    Raises:
        DataError: a file does not match the parameters, a rule with the policy `error` is broken, there are fewer than
            two stocks, or the index lacks sessions of the bars.
    """
    raw = _bars(params).filter(pl.col("Date") >= params.start)
    bars, rules = enforce(raw, params.rules, params.end)
    _keep_splits(raw, bars, params)
    stocks = bars["Code"].n_unique()
    if stocks < 2:
        raise DataError(
            f"`{params.inputs.bars}` has {stocks} stocks from {params.start} to {params.end} after validation;"
            " a ranking needs at least 2",
            hint="extend `quotes.start` and `quotes.end`, or check the rows that `quotes.rules` drop",
        )
    listed, unknown = _listed(params, bars)
    return Quotes(
        bars=Bars.validate(bars),
        listed=Listed.validate(listed),
        index=Index.validate(_index(params, bars)),
        report={"rules": rules, "listed": unknown},
        oracle=None,
    )


def _bars(params: FileQuotes) -> pl.DataFrame:
    """The rows in file order, with the schema's names and dtypes."""
    columns: dict[str, str] = {name: own for name, own in asdict(params.bar_columns).items() if own is not None}
    source = table.load(Path(params.inputs.bars), _named("bar_columns", columns))
    bars = pl.DataFrame([source.codes(columns["Code"]).alias("Code"), source.dates(columns["Date"]).alias("Date")])
    numbers = [source.numbers(columns[name]).alias(name) for name in columns if name not in bars.columns]
    bars = bars.with_columns(numbers)
    for name in ("TurnoverValue", "AdjustmentFactor"):
        if name not in columns:
            bars = bars.with_columns(pl.lit(None, pl.Float64).alias(name))
    bars = bars.with_columns(
        pl.col("TurnoverValue").fill_null(pl.col("Close") * pl.col("Volume")),
        pl.col("AdjustmentFactor").fill_null(1.0),
    )
    invalid = bars.filter(pl.col("AdjustmentFactor") <= 0)
    if not invalid.is_empty():
        code, day, factor = invalid.select("Code", "Date", "AdjustmentFactor").row(0)
        raise DataError(
            f"`{source.path}`: column `{columns['AdjustmentFactor']}` has {factor} for {code} on {day}"
            f" ({len(invalid)} such rows); a factor multiplies the prices before its date",
            hint="use positive factors, 1.0 where there is no split",
        )
    return bars.select("Code", "Date", *VALUES, "TurnoverValue", "AdjustmentFactor")


def _keep_splits(raw: pl.DataFrame, bars: pl.DataFrame, params: FileQuotes) -> None:
    """Raises `DataError` if a dropped bar has a split: the earlier prices would never be adjusted."""
    splits = raw.filter(pl.col("AdjustmentFactor") != 1, pl.col("Date") <= params.end)
    lost = splits.join(bars, on=["Code", "Date"], how="anti")
    if not lost.is_empty():
        examples = ", ".join(f"{code} on {day}" for code, day in lost.select("Code", "Date").head(5).rows())
        raise DataError(
            f"`{params.inputs.bars}`: `quotes.rules` drop {len(lost)} bars with a split, such as {examples}",
            hint="correct these bars, or set the policy `keep`",
        )


def _listed(params: FileQuotes, bars: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Sector, segment and listing dates of the stocks, and the numbers of missing and changed labels.

    A stock counts as delisted if its last bar is before the last session. If a stock has several sectors, the last in
    file order applies. A stock without one is in the sector `unknown`.
    """
    own = params.listed_columns
    columns = {name: column for name, column in asdict(own).items() if column is not None}
    source = table.load(Path(params.inputs.listed), _named("listed_columns", columns))
    codes = source.codes(own.Code).alias("Code")
    labels = [source.labels(columns[name]).alias(name) for name in columns if name != "Code"]
    groups = pl.DataFrame([codes, *labels]).group_by("Code")
    known = groups.agg(pl.exclude("Code").drop_nulls().last())
    changed = groups.agg(pl.exclude("Code").drop_nulls().n_unique()).join(bars, on="Code", how="semi")
    last = bars["Date"].max()
    listed = (
        bars.group_by("Code")
        .agg(ListedFrom=pl.col("Date").min(), ListedTo=pl.col("Date").max())
        .with_columns(ListedTo=pl.when(pl.col("ListedTo") < last).then("ListedTo"))
        .join(known, on="Code", how="left")
    )
    names = ("Sector33", "MarketSegment")
    report = {
        name: {
            "unknown": listed[name].null_count() if name in columns else 0,
            "changed": int((changed[name] > 1).sum()) if name in columns else 0,
        }
        for name in names
    }
    listed = listed.with_columns(
        pl.col(name).fill_null(UNKNOWN) if name in columns else pl.lit(ONE_GROUP).alias(name) for name in names
    )
    return listed.select("Code", *names, "ListedFrom", "ListedTo").sort("Code"), report


def _index(params: FileQuotes, bars: pl.DataFrame) -> pl.DataFrame:
    """The index on the bars' sessions: from its own file, or the equal-weight index of the stocks."""
    if params.inputs.index == params.inputs.bars:
        return equal_weight_index(bars)
    own = params.index_columns
    source = table.load(Path(params.inputs.index), _named("index_columns", asdict(own)))
    index = pl.DataFrame([source.dates(own.Date).alias("Date"), source.numbers(own.Close).alias("Close")])
    sessions = bars.select("Date").unique().sort("Date")
    index = sessions.join(index, on="Date", how="left", maintain_order="left")
    invalid = index.filter(~(pl.col("Close") > 0).fill_null(False) | pl.col("Date").is_duplicated())
    if not invalid.is_empty():
        examples = ", ".join(str(day) for day in invalid["Date"].unique(maintain_order=True).head(5))
        raise DataError(
            f"`{source.path}` does not have one positive close for each session of the bars: {len(invalid)} rows"
            f" are missing, duplicate or not positive, such as {examples}",
            hint="correct the file, or set `quotes.inputs.index` to the bars file for an equal-weight index",
        )
    return index


def _named(section: str, columns: dict[str, str]) -> dict[str, str]:
    return {f"quotes.{section}.{name}": own for name, own in columns.items()}
