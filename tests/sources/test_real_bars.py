"""Five years of 505 US stocks, with the errors of real files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

from gogooku3.config.quotes import FileQuotes, Inputs
from gogooku3.errors import DataError
from gogooku3.sources.source import make

BARS = Path(__file__).parents[3] / "shared" / "data" / "sp500_5yr.parquet"
COLUMNS = {name: name.lower() for name in ("Code", "Date", "Open", "High", "Low", "Close", "Volume")}

pytestmark = pytest.mark.skipif(not BARS.exists(), reason="the real bars, ../shared/data, are not on this machine")


@pytest.fixture
def real(file_params: Callable[..., FileQuotes]) -> Callable[[str], FileQuotes]:
    def params(policy: str) -> FileQuotes:
        rules = {"missing_value": policy, "high_below_low": policy, "outside_range": policy}
        return file_params(
            BARS, bar_columns=COLUMNS, listed_columns={"Code": "code", "Sector33": "sector"}, rules=rules
        )

    return params


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """The file, read with another library."""
    table: list[dict[str, Any]] = pq.read_table(BARS).to_pylist()
    return table


def faults(rows: list[dict[str, Any]]) -> dict[str, set[tuple[str, str]]]:
    """The rows that break a rule, found by plain comparison."""
    found: dict[str, set[tuple[str, str]]] = {"missing_value": set(), "high_below_low": set(), "outside_range": set()}
    for row in rows:
        key = (row["code"], str(row["date"]))
        low, high = row["low"], row["high"]
        if None in (row["open"], high, low, row["close"], row["volume"]):
            found["missing_value"].add(key)
        if low is not None and high is not None:
            if high < low:
                found["high_below_low"].add(key)
            if not all(row[name] is None or low <= row[name] <= high for name in ("open", "close")):
                found["outside_range"].add(key)
    return found


def test_the_report_has_exactly_the_known_errors(real: Callable[[str], FileQuotes], rows: list[dict[str, Any]]) -> None:
    expected = faults(rows)
    assert len(expected["missing_value"]) == 11  # 11 opens, in 8 of these rows high and low too
    assert len(expected["outside_range"]) == 12
    made = make(real("keep"))
    found = {rule: entry["count"] for rule, entry in made.report["rules"].items() if entry["count"]}
    assert found == {rule: len(keys) for rule, keys in expected.items()}
    for rule, keys in expected.items():
        assert {(row["Code"], row["Date"]) for row in made.report["rules"][rule]["examples"]} <= keys
    assert [made.bars[name].null_count() for name in ("Open", "High", "Low")] == [11, 8, 8]
    assert made.bars.height == len(rows)


def test_drop_removes_only_the_invalid_rows(real: Callable[[str], FileQuotes], rows: list[dict[str, Any]]) -> None:
    made = make(real("drop"))
    wrong = set.union(*faults(rows).values())
    assert made.bars.height == len(rows) - len(wrong)
    left = made.bars.select("Code", "Date").rows()
    assert not wrong & {(code, str(day)) for code, day in left}


def test_error_lists_all_errors_at_once(real: Callable[[str], FileQuotes]) -> None:
    with pytest.raises(DataError) as fault:
        make(real("error"))
    assert "missing_value: 11 rows" in fault.value.message
    assert "outside_range: 12 rows" in fault.value.message


def test_sectors_listings_and_index_are_made(real: Callable[[str], FileQuotes]) -> None:
    made = make(real("drop"))
    assert made.listed.height == 505
    assert made.listed["Sector33"].n_unique() == 11
    assert (made.listed["ListedFrom"] > made.index["Date"][0]).sum() == 29
    assert made.index.height == 1259
    gain = made.index["Close"][-1] / 1000
    assert 1.7 < gain < 2.3  # the equally weighted S&P 500 without dividends gained about 90 % in these years


def test_a_duplicate_session_is_refused(real: Callable[[str], FileQuotes], tmp_path: Path) -> None:
    whole = pl.read_parquet(BARS)
    day, after = date(2015, 8, 24), date(2015, 8, 25)
    copied = whole.filter(pl.col("date") == day).with_columns(date=pl.lit(after))
    path = tmp_path / "bars.parquet"
    pl.concat([whole.filter(pl.col("date") != after), copied]).sort("code", "date").write_parquet(path)
    params = replace(real("drop"), inputs=Inputs(*[str(path)] * 3))
    with pytest.raises(DataError, match=f"{day} and {after}: {copied.height} of {copied.height} stocks"):
        make(params)
