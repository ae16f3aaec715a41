"""Daily bars from a user's parquet or CSV files, under the user's own column names."""

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
"""Sector and segment of every stock where the file has none."""
UNKNOWN = "unknown"
"""Sector or segment of a stock that the listing lacks."""


def make(params: FileQuotes) -> Quotes:
    """Reads the files, enforces the rules and brings everything into the one schema.

    Raises:
        DataError: a file that cannot be read as what the parameters say, broken rules whose policy is `error`,
            fewer than two stocks, or an index that lacks sessions of the bars.
    """
    raw = _bars(params).filter(pl.col("Date") >= params.start)
    bars, rules = enforce(raw, params.rules, params.end)
    _keep_splits(raw, bars, params)
    stocks = bars["Code"].n_unique()
    if stocks < 2:
        raise DataError(
            f"`{params.inputs.bars}` leaves {stocks} stocks in {params.start} to {params.end};"
            " a ranking needs at least 2",
            hint="widen `quotes.start` and `quotes.end`, or look at what `quotes.rules` drop",
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
    """The file's rows in file order, with the schema's names and types."""
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
    wrong = bars.filter(pl.col("AdjustmentFactor") <= 0)
    if not wrong.is_empty():
        code, day, factor = wrong.select("Code", "Date", "AdjustmentFactor").row(0)
        raise DataError(
            f"`{source.path}`: column `{columns['AdjustmentFactor']}` holds {factor} for {code} on {day}"
            f" ({len(wrong)} such rows); a factor multiplies the prices before its date",
            hint="use positive factors, 1.0 where there is no split",
        )
    return bars.select("Code", "Date", *VALUES, "TurnoverValue", "AdjustmentFactor")


def _keep_splits(raw: pl.DataFrame, bars: pl.DataFrame, params: FileQuotes) -> None:
    """Refuses to drop a bar that carries a split: the prices before it would never be adjusted."""
    splits = raw.filter(pl.col("AdjustmentFactor") != 1, pl.col("Date") <= params.end)
    lost = splits.join(bars, on=["Code", "Date"], how="anti")
    if not lost.is_empty():
        examples = ", ".join(f"{code} on {day}" for code, day in lost.select("Code", "Date").head(5).rows())
        raise DataError(
            f"`{params.inputs.bars}`: `quotes.rules` drop {len(lost)} bars that carry a split, such as {examples}",
            hint="correct these bars, or `keep` them",
        )


def _listed(params: FileQuotes, bars: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Sector, segment and listing of the bars' stocks, and what was found missing or ambiguous.

    A stock counts as delisted when its last bar precedes the last session. Of several sectors of one stock the last in
    file order holds. A stock without one is in a sector of its own name, `unknown`.
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
    """The index on the bars' sessions: from its own file, or made from the members."""
    if params.inputs.index == params.inputs.bars:
        return equal_weight_index(bars)
    own = params.index_columns
    source = table.load(Path(params.inputs.index), _named("index_columns", asdict(own)))
    index = pl.DataFrame([source.dates(own.Date).alias("Date"), source.numbers(own.Close).alias("Close")])
    sessions = bars.select("Date").unique().sort("Date")
    index = sessions.join(index, on="Date", how="left", maintain_order="left")
    wrong = index.filter(~(pl.col("Close") > 0).fill_null(False) | pl.col("Date").is_duplicated())
    if not wrong.is_empty():
        examples = ", ".join(str(day) for day in wrong["Date"].unique(maintain_order=True).head(5))
        raise DataError(
            f"`{source.path}` does not give one positive close for each session of the bars: {len(wrong)} rows"
            f" are missing, repeated or not positive, such as {examples}",
            hint="correct the file, or name the bars file as `quotes.inputs.index` to make the index from the members",
        )
    return index


def _named(section: str, columns: dict[str, str]) -> dict[str, str]:
    return {f"quotes.{section}.{name}": own for name, own in columns.items()}
