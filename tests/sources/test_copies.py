"""Duplicate sessions: bars that appear under two dates are refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from gogooku3.config.quotes import FileQuotes, SyntheticQuotes
from gogooku3.errors import DataError
from gogooku3.quotes.schema import Quotes
from gogooku3.sources.rules import VALUES
from gogooku3.sources.source import make

Read = Callable[[pl.DataFrame], Quotes]

STOCKS = 40


@pytest.fixture(scope="module")
def whole(synthetic: Callable[..., SyntheticQuotes]) -> pl.DataFrame:
    """Half a year of 40 stocks with listings and delistings, sorted by (Date, Code)."""
    return make(synthetic(stocks=STOCKS, end=date(2020, 12, 30))).bars.select("Code", "Date", *VALUES)


@pytest.fixture
def read(file_params: Callable[..., FileQuotes], write_bars: Callable[[pl.DataFrame], Path]) -> Read:
    """Reads bars from a file, like the stage."""
    return lambda bars: make(file_params(write_bars(bars.sort("Date", "Code"))))


def session(bars: pl.DataFrame, day: date) -> pl.DataFrame:
    return bars.filter(pl.col("Date") == day)


def put(bars: pl.DataFrame, copied: pl.DataFrame, day: date) -> pl.DataFrame:
    """Replaces or inserts the bars of a date."""
    return pl.concat([bars.filter(pl.col("Date") != day), copied.with_columns(Date=pl.lit(day))])


FIRST, NEXT, LATER, SATURDAY = date(2020, 8, 6), date(2020, 8, 7), date(2020, 12, 3), date(2020, 8, 8)


@pytest.mark.parametrize(
    ("of", "to"),
    [(FIRST, NEXT), (NEXT, FIRST), (FIRST, LATER), (LATER, FIRST), (NEXT, SATURDAY), (LATER, SATURDAY)],
    ids=["over the next", "over the one before", "over a later", "over an earlier", "inserted", "inserted from afar"],
)
def test_a_session_copied_to_another_date_is_refused(whole: pl.DataFrame, read: Read, of: date, to: date) -> None:
    copied = session(whole, of)
    with pytest.raises(DataError, match="duplicate sessions") as refusal:
        read(put(whole, copied, to))
    lines = refusal.value.message.splitlines()[1:]
    assert lines == [f"- {min(of, to)} and {max(of, to)}: {copied.height} of {copied.height} stocks"]
    assert "remove its rows" in refusal.value.hint


def test_valid_bars_are_unchanged(whole: pl.DataFrame, read: Read) -> None:
    assert read(whole).bars.select(whole.columns).equals(whole)


@pytest.mark.parametrize(("copied", "refused"), [(0.7, True), (0.3, False)])
def test_a_duplicate_session_needs_equal_bars_of_most_stocks(
    whole: pl.DataFrame, read: Read, copied: float, refused: bool
) -> None:
    """A copy with some corrected stocks is refused; some stocks with stale bars are not."""
    stale = session(whole, FIRST).head(int(copied * STOCKS))
    own = session(whole, LATER).join(stale, on="Code", how="anti")
    bars = put(whole, pl.concat([stale, own]), LATER)
    if refused:
        with pytest.raises(DataError, match=rf"{FIRST} and {LATER}: {stale.height} of \d+ stocks"):
            read(bars)
    else:
        assert read(bars).bars.height == bars.height


def test_a_copy_over_a_session_with_more_stocks_is_judged_by_the_fewer(whole: pl.DataFrame, read: Read) -> None:
    few = whole.filter((pl.col("Date") != FIRST) | (pl.int_range(pl.len()).over("Date") < 15))
    bars = put(few, pl.concat([session(few, FIRST), session(few, LATER)]).unique("Code", keep="first"), LATER)
    assert session(bars, LATER).height > 2 * 15
    with pytest.raises(DataError, match=f"{FIRST} and {LATER}: 15 of 15 stocks"):
        read(bars)


@pytest.mark.parametrize(("stocks", "refused"), [(10, True), (9, False)])
def test_few_stocks_that_repeat_themselves_are_no_copy(
    whole: pl.DataFrame, read: Read, stocks: int, refused: bool
) -> None:
    few = session(whole, FIRST).head(stocks)
    bars = put(put(whole, few, FIRST), few, NEXT)
    if refused:
        with pytest.raises(DataError, match=f"{FIRST} and {NEXT}: 10 of 10 stocks"):
            read(bars)
    else:
        assert read(bars).bars.height == bars.height


def test_stocks_that_were_not_traded_are_no_copy(whole: pl.DataFrame, read: Read) -> None:
    """Without a trade, the price of the session before stands again and again."""
    still = session(whole, FIRST).with_columns(pl.lit(0.0).alias("Volume"))
    bars = put(put(whole, still, NEXT), still, LATER)
    assert read(bars).bars.height == bars.height


@pytest.mark.parametrize("name", VALUES)
def test_bars_that_differ_in_one_value_are_no_copy(whole: pl.DataFrame, read: Read, name: str) -> None:
    flat = session(whole, FIRST).with_columns(pl.max_horizontal("High", "Open", "Close").alias("High") + 1)
    flat = flat.with_columns(Low=pl.col("Low") * 0.5)
    other = flat.with_columns(pl.col(name) + 0.1)
    bars = put(put(whole, flat, FIRST), other, LATER)
    assert read(bars).bars.height == bars.height


def test_every_copy_is_named_up_to_five(whole: pl.DataFrame, read: Read) -> None:
    days = whole["Date"].unique().sort().to_list()
    bars = whole
    for number in range(6):
        bars = put(bars, session(whole, days[10 + number]), days[100 + number])
    message = re.escape(f"- {days[10]} and {days[100]}: ")
    with pytest.raises(DataError, match=message) as refusal:
        read(bars)
    assert refusal.value.message.count("\n- ") == 5
    assert refusal.value.message.endswith(" and 1 more")


def test_a_session_that_stands_there_three_times_is_named_with_the_one_before(whole: pl.DataFrame, read: Read) -> None:
    copied = session(whole, FIRST)
    bars = put(put(whole, copied, SATURDAY), copied, SATURDAY + timedelta(days=1))
    with pytest.raises(DataError) as refusal:
        read(bars)
    assert [line.split(":")[0] for line in refusal.value.message.splitlines()[1:]] == [
        "- 2020-08-06 and 2020-08-08",
        "- 2020-08-08 and 2020-08-09",
    ]


def test_a_copy_before_the_period_does_no_harm(
    whole: pl.DataFrame, file_params: Callable[..., FileQuotes], write_bars: Callable[[pl.DataFrame], Path]
) -> None:
    bars = put(whole, session(whole, FIRST), LATER).sort("Date", "Code")
    made = make(file_params(write_bars(bars), start=NEXT))
    assert made.bars["Date"].min() == NEXT
