"""Charts over time: the same for the same data, small for long periods, and never markup of others."""

from __future__ import annotations

import re
from datetime import date, timedelta

import polars as pl
import pytest

from gogooku3.pages.picture import Series, data_block, picture
from gogooku3.pages.scripts import scripts
from gogooku3.pages.svg import NARROW
from gogooku3.pages.timeline import Timeline

from .elements import Elements

LINES = [Series("a", "first", "var(--track-1)", width=2.6), Series("b", "<b>second</b>", "var(--track-2)")]


def timeline(sessions: int, *, step: int = 1) -> Timeline:
    dates = [date(2020, 1, 6) + timedelta(days=step * place) for place in range(sessions)]
    values = pl.DataFrame({"a": [place / 7 for place in range(sessions)], "b": [None, *range(sessions - 1)]})
    return Timeline(pl.Series(dates), values, LINES, 100, "two lines")


def test_the_data_of_a_live_chart_are_columns_of_whole_numbers() -> None:
    (block,) = Elements(timeline(4).picture(NARROW)).blocks
    assert block["columns"] == {
        "day": [18267, 1, 1, 1],
        "a": [0, 143, 286, 429],
        "b": [None, 0, 1000, 2000],
    }
    assert block["decimals"] == 3
    assert [line["title"] for line in block["lines"]] == ["first", "<b>second</b>"]
    assert len(block["specs"]) == 1


def test_titles_are_text_in_the_legend_and_in_the_data() -> None:
    drawn = timeline(4).responsive()
    assert "<b>" not in drawn
    assert Elements(drawn).text.count("<b>second</b>") == 1
    hostile = data_block({"title": "</script><script>alert(1)</script>"})
    assert Elements(hostile).blocks == [{"title": "</script><script>alert(1)</script>"}]
    assert hostile.count("<script") == hostile.count("</script") == 1


def test_a_long_period_is_thinned_where_it_is_drawn_and_whole_where_it_is_live() -> None:
    chart = timeline(5000)
    drawn = chart.picture(NARROW)
    (block,) = Elements(drawn).blocks
    assert len(block["columns"]["day"]) == 5000
    svg = drawn[: drawn.index("<script")]
    assert len(svg) < 12_000
    assert len(svg) > 6_000


@pytest.mark.parametrize(
    ("sessions", "step", "labels"),
    [
        (10, 1, ["2020-01-06", "2020-01-15"]),
        (130, 1, ["2020-02", "2020-03", "2020-04", "2020-05"]),
        (300, 7, ["2022", "2024"]),
    ],
)
def test_dates_are_labelled_at_starts_of_months_or_years(sessions: int, step: int, labels: list[str]) -> None:
    svg = timeline(sessions, step=step).drawing(NARROW).svg()
    assert [text for text in re.findall(r">([^<>]+)</text>", svg) if re.fullmatch(r"20\d\d(-\d\d)*", text)] == labels


def test_a_legend_has_one_entry_per_series_and_the_scripts_are_the_same_every_time() -> None:
    entries = [attributes for tag, attributes in Elements(timeline(4).responsive()).found if tag == "li"]
    assert [attributes["data-series"] for attributes in entries] == ["a", "b"]
    assert "<li " not in picture(timeline(4).drawing(NARROW))
    first = scripts()
    scripts.cache_clear()
    assert scripts() == first
    text = Elements(str(first["scripts"])).scripts[0]
    assert text.startswith("/*!\nLicences of the software in this script.")
    assert "Redistribution and use in source and binary forms" in text
    assert len(text) < 1_000_000
