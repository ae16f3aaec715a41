"""Validation rules for daily OHLCV bars: finds the rows that break a rule and applies the rule's policy.

All rules are evaluated on the original rows, before any row is dropped. A row can break several rules.

After that, a session that appears under two dates (duplicate session) is an error: no single row is invalid, and the
bars do not show which date is right.
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
"""Smallest number of equal bars of two duplicate sessions: bars of illiquid stocks can be equal by chance."""


def enforce(bars: pl.DataFrame, rules: Rules, end: date) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Applies the policies; returns the remaining bars, sorted by (Date, Code), and the validation report.

    Args:
        bars: at least `Code`, `Date` and `VALUES`, in file order; a missing value is null.
        rules: policy per rule.
        end: the last valid date; later dates are in the future.

    Returns:
        The bars, and per rule its `policy`, the `count` of rows that break it, the number `dropped` (a row that several
        rules drop counts for the first) and up to five `examples`.

    Raises:
        DataError: a rule with the policy `error` is broken (the message lists all), or two sessions have the same bars.
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
    _refuse_duplicate_sessions(bars)
    return bars, report


def _rules(end: date) -> dict[str, pl.Expr]:
    """Per rule, an expression that is true for rows that break it; null if values are missing."""
    low, high = pl.col("Low"), pl.col("High")
    latest = pl.col("Date").cum_max().shift().over("Code")
    return {
        "duplicate_key": ~pl.struct("Date", "Code").is_first_distinct(),
        # Earlier than a previous date of the code: without such rows, the file is sorted.
        "unsorted": pl.col("Date") < latest,
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
    lines = ["the bars break validation rules with the policy `error`:"]
    for rule, entry in broken.items():
        lines.append(f"- {rule}: {entry['count']} rows, such as")
        lines += ["    " + ", ".join(f"{name} {value}" for name, value in row.items()) for row in entry["examples"]]
    choices = [f"`quotes.rules.{rule}={'keep' if rule == 'unsorted' else 'drop'}`" for rule in broken]
    raise DataError(
        "\n".join(lines),
        hint=f"correct the file, or set {', '.join(choices)} (`drop` removes the rows,"
        " `keep` keeps them unchanged, sorted)",
    )


def _refuse_duplicate_sessions(bars: pl.DataFrame) -> None:
    """Raises `DataError` if most traded stocks have exactly the same bar in two sessions.

    Most: more than half of the stocks of the smaller session, and at least `_MIN_EQUAL`. Each bar is compared with the
    previous equal bar of its stock, by a 64-bit hash.
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
            "duplicate sessions: most stocks have the same open, high, low, close and volume on two dates:"
            + abbreviate(pairs, separator=""),
            hint="correct the bars of the copied date, or remove its rows if there was no session",
        )
