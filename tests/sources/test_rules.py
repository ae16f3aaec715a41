"""The validation rules and their policies."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gogooku3.config.quotes import Rules
from gogooku3.errors import DataError
from gogooku3.sources.rules import enforce

END = date(2024, 1, 31)
NAMES = [field.name for field in fields(Rules)]


def policies(default: str = "keep", **changes: str) -> Rules:
    given: dict[str, Any] = dict.fromkeys(NAMES, default) | {"duplicate_key": "drop"} | changes
    return Rules(**given)


def with_value(bars: pl.DataFrame, row: int, **values: object) -> pl.DataFrame:
    rows = bars.to_dicts()
    rows[row].update(values)
    return pl.DataFrame(rows, schema=bars.schema)


def broken(bars: pl.DataFrame) -> dict[str, int]:
    _, report = enforce(bars, policies(), END)
    return {rule: entry["count"] for rule, entry in report.items() if entry["count"]}


def test_valid_bars_break_no_rule_and_every_rule_is_reported(bars: pl.DataFrame) -> None:
    clean, report = enforce(bars, policies("error"), END)
    assert list(report) == NAMES
    assert all(entry["count"] == entry["dropped"] == 0 and entry["examples"] == [] for entry in report.values())
    assert clean.equals(bars.sort("Date", "Code"))


@pytest.mark.parametrize(
    ("row", "values", "expected"),
    [
        (1, {"Open": None}, {"missing_value": 1}),
        (1, {"Volume": None}, {"missing_value": 1}),
        (1, {"High": None, "Low": None}, {"missing_value": 1}),
        (1, {"Low": 0.0}, {"non_positive_price": 1}),
        (1, {"Volume": -1.0}, {"negative_volume": 1}),
        (1, {"Volume": 0.0}, {}),
        (1, {"Open": 100.9}, {"outside_range": 1}),
        (1, {"Close": 104.1}, {"outside_range": 1}),
        (1, {"Open": 104.0, "Close": 101.0}, {}),
        (1, {"High": 101.0, "Low": 102.0}, {"high_below_low": 1, "outside_range": 1}),
        (2, {"Date": date(2024, 1, 31)}, {}),
        (2, {"Date": date(2024, 2, 1)}, {"future_date": 1}),
        (1, {"Date": date(2024, 1, 4)}, {"duplicate_key": 1}),
        (1, {"Date": date(2024, 1, 3)}, {"unsorted": 1}),
        (0, {"Date": date(2024, 1, 8)}, {"unsorted": 1}),
    ],
)
def test_a_rule_finds_exactly_the_rows_that_break_it(
    bars: pl.DataFrame, row: int, values: dict[str, object], expected: dict[str, int]
) -> None:
    assert broken(with_value(bars, row, **values)) == expected


def test_dates_may_go_back_between_codes_but_not_inside_one(bars: pl.DataFrame) -> None:
    assert broken(bars.sort("Date", "Code")) == {}
    assert broken(bars.reverse()) == {"unsorted": 4}


def test_error_lists_every_broken_rule_with_counts_rows_and_remedies(bars: pl.DataFrame) -> None:
    faulty = with_value(with_value(bars, 1, Open=None), 4, Volume=-5.0).reverse()
    with pytest.raises(DataError) as fault:
        enforce(faulty, policies("error"), END)
    message, hint = fault.value.message, fault.value.hint
    assert "- missing_value: 1 rows" in message
    assert "Code 1301, Date 2024-01-05, Open None, High 104.0, Low 101.0, Close 101.0, Volume 1100.0" in message
    assert "- negative_volume: 1 rows" in message
    assert "- unsorted: 4 rows" in message
    for remedy in ("missing_value=drop", "negative_volume=drop", "unsorted=keep"):
        assert f"`quotes.rules.{remedy}`" in hint
    assert "future_date" not in message + hint


def test_error_shows_five_examples_of_many(bars: pl.DataFrame) -> None:
    _, report = enforce(bars.with_columns(Volume=pl.lit(-1.0)), policies(), END)
    assert report["negative_volume"]["count"] == 6
    assert len(report["negative_volume"]["examples"]) == 5
    assert report["negative_volume"]["examples"][0] == {
        **{"Code": "1301", "Date": "2024-01-04", "Open": 100.0, "High": 103.0},
        **{"Low": 99.0, "Close": 102.0, "Volume": -1.0},
    }


def test_drop_removes_only_the_rows_that_break_the_rule(bars: pl.DataFrame) -> None:
    clean, report = enforce(with_value(bars, 1, Open=None), policies("error", missing_value="drop"), END)
    assert clean.height == 5
    assert clean.filter(Code="1301")["Date"].to_list() == [date(2024, 1, 4), date(2024, 1, 9)]
    assert report["missing_value"]["dropped"] == 1


def test_keep_keeps_the_row_and_its_null(bars: pl.DataFrame) -> None:
    clean, report = enforce(with_value(bars, 1, Open=None), policies("error", missing_value="keep"), END)
    assert clean.height == 6
    assert clean["Open"].null_count() == 1
    assert report["missing_value"] | {"examples": []} == {"policy": "keep", "count": 1, "dropped": 0, "examples": []}


def test_the_first_row_of_a_duplicate_key_stays(bars: pl.DataFrame) -> None:
    again = bars.head(1).with_columns(Close=pl.lit(99.5))
    clean, report = enforce(pl.concat([bars, again]), policies("keep"), END)
    assert clean.equals(bars.sort("Date", "Code"))
    assert report["duplicate_key"]["dropped"] == 1


def test_unsorted_rows_are_sorted_by_keep_and_removed_by_drop(bars: pl.DataFrame) -> None:
    mixed = bars[[1, 0, 2, 3, 4, 5]]
    kept, _ = enforce(mixed, policies("error", unsorted="keep"), END)
    assert kept.equals(bars.sort("Date", "Code"))
    dropped, _ = enforce(mixed, policies("error", unsorted="drop"), END)
    assert dropped.equals(bars[[1, 2, 3, 4, 5]].sort("Date", "Code"))


def test_a_row_that_two_rules_drop_is_counted_once(bars: pl.DataFrame) -> None:
    faulty = with_value(bars, 1, High=101.0, Low=102.0)
    clean, report = enforce(faulty, policies("drop"), END)
    assert clean.height == 5
    assert report["high_below_low"]["dropped"] == 1
    assert report["outside_range"] | {"examples": []} == {
        **{"policy": "drop", "count": 1, "dropped": 0},
        "examples": [],
    }


PRICE = st.none() | st.sampled_from([-1.0, 0.0, 1.0, 2.0, 3.0])
ROW = st.tuples(st.sampled_from("AB"), st.integers(1, 9), PRICE, PRICE, PRICE, PRICE, PRICE)


@settings(max_examples=150, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=12))
def test_the_rules_equal_a_row_by_row_implementation(rows: list[tuple[Any, ...]]) -> None:
    end = date(2024, 1, 7)
    expected = dict.fromkeys(NAMES, 0)
    keys, latest, kept = set(), {}, []
    for code, day, open_, high, low, close, volume in rows:
        prices = [price for price in (open_, high, low, close) if price is not None]
        faults = {
            "duplicate_key": (code, day) in keys,
            "unsorted": day < latest.get(code, 0),
            "missing_value": len(prices) < 4 or volume is None,
            "non_positive_price": any(price <= 0 for price in prices),
            "negative_volume": volume is not None and volume < 0,
            "high_below_low": high is not None and low is not None and high < low,
            "outside_range": any(
                price is not None and ((low is not None and price < low) or (high is not None and price > high))
                for price in (open_, close)
            ),
            "future_date": day > 7,
        }
        keys.add((code, day))
        latest[code] = max(latest.get(code, 0), day)
        for rule, fault in faults.items():
            expected[rule] += fault
        if not any(faults.values()):
            kept.append((code, date(2024, 1, day)))
    bars = pl.DataFrame(
        [(code, date(2024, 1, day), *values) for code, day, *values in rows],
        schema={"Code": pl.String, "Date": pl.Date}
        | dict.fromkeys(("Open", "High", "Low", "Close", "Volume"), pl.Float64),
        orient="row",
    )
    clean, report = enforce(bars, policies("drop"), end)
    assert {rule: entry["count"] for rule, entry in report.items()} == expected
    assert clean.select("Code", "Date").rows() == sorted(kept, key=lambda row: (row[1], row[0]))
    assert sum(entry["dropped"] for entry in report.values()) == len(rows) - len(kept)
