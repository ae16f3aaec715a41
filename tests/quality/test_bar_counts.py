"""Bars by session and by stock, against counts by hand."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from gogooku3.quality.bar_counts import BarCounts

MONTHS = ("2024-01", "2024-02", "2024-03")
JANUARY = [
    (date(2024, 1, 30), "A"),
    (date(2024, 1, 30), "B"),
    (date(2024, 1, 31), "A"),
    (date(2024, 1, 31), "B"),
    (date(2024, 1, 31), "C"),
]
MARCH = [(date(2024, 3, 1), "A"), (date(2024, 3, 1), "C"), (date(2024, 3, 4), "C")]


def keys(rows: list[tuple[date, str]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"Date": pl.Date, "Code": pl.String}, orient="row")


@pytest.fixture
def bar_counts() -> BarCounts:
    told = BarCounts(MONTHS)
    told.add(0, keys(JANUARY))
    told.add(2, keys(MARCH))
    return told


def test_a_row_knows_how_many_bars_its_stock_has_had() -> None:
    told = BarCounts(MONTHS)
    assert told.add(0, keys(JANUARY)).tolist() == [1, 1, 2, 2, 1]
    assert told.add(2, keys(MARCH)).tolist() == [3, 2, 3]


def test_stocks_are_expected_from_their_first_bar_to_their_last(bar_counts: BarCounts) -> None:
    assert [str(day) for day in bar_counts.sessions_T] == ["2024-01-30", "2024-01-31", "2024-03-01", "2024-03-04"]
    assert bar_counts.bars_T.tolist() == [2, 3, 2, 1]
    assert bar_counts.listed_T.tolist() == [2, 3, 2, 1]
    without_a = BarCounts(MONTHS)
    without_a.add(0, keys([row for row in JANUARY if row != (date(2024, 1, 31), "A")]))
    without_a.add(2, keys(MARCH))
    assert (without_a.bars_T.tolist(), without_a.listed_T.tolist()) == ([2, 2, 2, 1], [2, 3, 2, 1])


@pytest.mark.parametrize("session", [1, 2, 3])
def test_a_gap_of_one_session_in_a_stocks_bars_shows_in_that_session(session: int) -> None:
    """Also at the end of a month, and in the first session of the next."""
    days = [date(2024, 1, 30), date(2024, 1, 31), date(2024, 2, 1), date(2024, 2, 2), date(2024, 2, 5)]
    rows = [(day, code) for day in days for code in "AB" if (day, code) != (days[session], "A")]
    counts = BarCounts(MONTHS[:2])
    for month in (0, 1):
        counts.add(month, keys([row for row in rows if row[0].month == month + 1]))
    assert (counts.listed_T - counts.bars_T).tolist() == [int(t == session) for t in range(5)]


def test_months_count_sessions_weekdays_and_stocks(bar_counts: BarCounts) -> None:
    assert bar_counts.sessions_M.tolist() == [2, 0, 2]
    assert bar_counts.weekdays_M.tolist() == [2, 21, 2]  # from the first session to the last: Tuesday to Monday
    assert bar_counts.stocks_M.tolist() == [3, 0, 2]
    assert bar_counts.stocks == 3
    assert bar_counts.by_month(bar_counts.bars_T).tolist() == [5, 0, 3]


def test_a_date_has_its_place_among_the_sessions(bar_counts: BarCounts) -> None:
    dates = pl.Series([date(2024, 1, 31), date(2024, 2, 10), date(2024, 3, 4)])
    assert bar_counts.position(dates).tolist() == [1, 2, 3]
