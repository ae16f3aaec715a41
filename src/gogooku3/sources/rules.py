"""The rules that daily bars obey, what breaks them, and what happens then.

All rules are evaluated on the rows as the file has them, before any row is dropped. A row may break several.

A session that is there under two dates is refused among the rows that are left: no single row of it is wrong, and which
of the two dates it belongs to, the bars do not say.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Any

import polars as pl

from gogooku3.config.quotes import Rules
from gogooku3.errors import DataError, abbreviate

PRICES = ("Open", "High", "Low", "Close")
VALUES = (*PRICES, "Volume")

_EXAMPLES = 5
_MIN_EQUAL = 10
"""Stocks with equal bars below which two sessions may be alike by chance: a stock that hardly trades repeats itself."""


def enforce(bars: pl.DataFrame, rules: Rules, end: date) -> tuple[pl.DataFrame, dict[str, Any]]:
    """The bars that the policies leave, in the order of (Date, Code), and a report of what broke which rule.

    Args:
        bars: `Code`, `Date` and `VALUES` at least, in file order; a missing value is null.
        rules: policy per rule.
        end: the last date that is not in the future.

    Returns:
        The bars, and per rule its `policy`, the `count` of rows that break it, how many of them it `dropped` (a row
        that several rules drop counts with the first) and up to five `examples`.

    Raises:
        DataError: rules whose policy is `error` are broken; it lists all of them. Or two sessions have the same bars.
    """
    broken = bars.select(expression.fill_null(False).alias(rule) for rule, expression in _rules(end).items())
    policies = asdict(rules)
    report = {rule: _entry(bars, broken[rule], policies[rule]) for rule in broken.columns}
    _refuse({rule: entry for rule, entry in report.items() if entry["policy"] == "error" and entry["count"]})
    kept = pl.repeat(True, len(bars), eager=True)
    for rule, entry in report.items():
        if entry["policy"] == "drop":
            entry["dropped"] = int((kept & broken[rule]).sum())
            kept &= ~broken[rule]
    bars = bars.filter(kept).sort("Date", "Code", maintain_order=True)
    _refuse_copies(bars)
    return bars, report


def _rules(end: date) -> dict[str, pl.Expr]:
    """Per rule, which rows break it; null where its values are missing."""
    low, high = pl.col("Low"), pl.col("High")
    seen = pl.col("Date").cum_max().shift().over("Code")
    return {
        "duplicate_key": ~pl.struct("Date", "Code").is_first_distinct(),
        # Earlier than a date that the code had before: without such rows, the rest of the file is in order.
        "unsorted": pl.col("Date") < seen,
        "missing_value": pl.any_horizontal(pl.col(name).is_null() for name in VALUES),
        "non_positive_price": pl.any_horizontal(pl.col(name) <= 0 for name in PRICES),
        "negative_volume": pl.col("Volume") < 0,
        "high_below_low": high < low,
        "outside_range": pl.any_horizontal((pl.col(name) < low) | (pl.col(name) > high) for name in ("Open", "Close")),
        "future_date": pl.col("Date") > end,
    }


def _entry(bars: pl.DataFrame, broken: pl.Series, policy: str) -> dict[str, Any]:
    examples = bars.filter(broken).head(_EXAMPLES).select("Code", pl.col("Date").dt.to_string("iso"), *VALUES)
    return {"policy": policy, "count": int(broken.sum()), "dropped": 0, "examples": examples.to_dicts()}


def _refuse(broken: dict[str, dict[str, Any]]) -> None:
    if not broken:
        return
    lines = ["the bars break rules whose policy is `error`:"]
    for rule, entry in broken.items():
        lines.append(f"- {rule}: {entry['count']} rows, such as")
        lines += ["    " + ", ".join(f"{name} {value}" for name, value in row.items()) for row in entry["examples"]]
    choices = [f"`quotes.rules.{rule}={'keep' if rule == 'unsorted' else 'drop'}`" for rule in broken]
    raise DataError(
        "\n".join(lines),
        hint=f"correct the file, or set {', '.join(choices)} (`drop` leaves the rows out,"
        " `keep` takes them as they are, sorted)",
    )


def _refuse_copies(bars: pl.DataFrame) -> None:
    """Refuses two sessions in which most stocks that were traded have the very same bar.

    Most: more than half of those of the session that has fewer, and at least `_MIN_EQUAL`. Each bar is compared with
    the last one of its stock that equals it, by a hash of 64 bits.
    """
    traded = (
        bars.lazy()
        .filter(pl.col("Volume") > 0)
        .drop_nulls(VALUES)
        .select("Date", bar=pl.struct("Code", *VALUES).hash())
        .sort("bar", "Date")
    )
    stocks = traded.group_by("Date").agg(stocks=pl.len())
    last_equal = pl.when(pl.col("bar") == pl.col("bar").shift()).then(pl.col("Date").shift())
    copies = (
        traded.select("Date", earlier=last_equal)
        .drop_nulls()
        .group_by("earlier", "Date")
        .agg(equal=pl.len())
        .filter(pl.col("equal") >= _MIN_EQUAL)
        .join(stocks, on="Date")
        .join(stocks, left_on="earlier", right_on="Date", suffix="_earlier")
        .select("earlier", "Date", "equal", stocks=pl.min_horizontal("stocks", "stocks_earlier"))
        .filter(pl.col("equal") * 2 > pl.col("stocks"))
        .sort("Date", "earlier")
        .collect()
    )
    if not copies.is_empty():
        pairs = [f"\n- {earlier} and {day}: {equal} of {of} stocks" for earlier, day, equal, of in copies.rows()]
        raise DataError(
            "sessions are there twice, by the open, high, low, close and volume of most stocks:"
            + abbreviate(pairs, separator=""),
            hint="one of the two dates has a copy: give it its own bars, or take its rows out if there was no session",
        )
