"""The data quality page and its summary: self-contained, deterministic, with all findings."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gogooku3 import paths
from gogooku3.features.registry import select
from gogooku3.quality import charts
from gogooku3.quality.checks import CHECKS, judge
from gogooku3.quality.page import spans, write

from ..pages.elements import Elements, check_that_it_needs_nothing_but_itself
from .conftest import QUOTES, Harm, surveyed


def reported(folder: Path, target: Path, quotes: dict[str, Any] = QUOTES) -> tuple[str, dict[str, Any]]:
    statistics = surveyed(folder, quotes)
    write(statistics, judge(statistics), target)
    return (target / paths.QUALITY_PAGE.name).read_text(), json.loads(
        (target / paths.QUALITY_SUMMARY.name).read_text(), parse_constant=pytest.fail
    )


@pytest.fixture
def faulty(harm: Harm) -> Path:
    """A dataset with a constant, an infinite, a missing and a dead feature."""
    harm(lambda frame: frame.with_columns(ret_5=pl.lit(0.7, pl.Float32), ret_2=pl.lit(float("nan"), pl.Float32)))
    harm(lambda frame: frame.with_columns(ret_3=pl.lit(float("nan"), pl.Float32)), "2021-11")
    once = pl.when(pl.int_range(pl.len()) == 0).then(float("inf")).otherwise(pl.col("ret_20")).cast(pl.Float32)
    return harm(lambda frame: frame.with_columns(ret_20=once), "2021-12")


def test_a_sound_dataset_has_no_errors(sound: Path, tmp_path: Path) -> None:
    page, summary = reported(sound, tmp_path)
    assert "<h1>No errors found</h1>" in page
    assert page.count('class="badge is-good"') == len(CHECKS) + 7  # seven checks have their own section
    assert {name: summary[name] for name in ("sound", "faults", "notes", "findings")} == {
        "sound": True,
        "faults": 0,
        "notes": 0,
        "findings": [],
    }
    assert summary["dataset"]["rows"] == 330 * 40
    assert (len(summary["months"]), len(summary["features"])) == (16, len(select("core")))


def test_errors_are_listed_first(faulty: Path, tmp_path: Path) -> None:
    page, summary = reported(faulty, tmp_path)
    assert page.index("<h1>4 errors found</h1>") < page.index("<h2>Checks</h2>") < page.index("<figure>")
    named = {finding["kind"]: (finding["features"], finding["months"]) for finding in summary["findings"]}
    assert (
        named.items()
        >= {
            "constant": (["ret_5"], []),
            "out_of_range": (["ret_20"], ["2021-12"]),
            "missing": (["ret_3"], ["2021-11"]),
            "dead": (["ret_2"], []),
        }.items()
    )
    assert (summary["sound"], summary["faults"]) == (False, 4)
    text = Elements(page).text
    for finding in summary["findings"]:
        assert finding["text"] in text


def test_the_same_dataset_gives_the_same_bytes(faulty: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        reported(faulty, tmp_path / name)
    for file in (paths.QUALITY_PAGE.name, paths.QUALITY_SUMMARY.name):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_the_page_is_self_contained(faulty: Path, tmp_path: Path) -> None:
    page, _ = reported(faulty, tmp_path)
    check_that_it_needs_nothing_but_itself(page)
    assert Elements(page).links == Elements(page).anchors


def test_text_from_the_bars_is_escaped(sound: Path, tmp_path: Path) -> None:
    example = {"Code": "<script>alert(1)</script>", "Date": "2021-11-01"}
    entry = {"policy": "drop", "count": 1, "dropped": 1, "examples": [example]}
    page, _ = reported(sound, tmp_path, {"rules": {"`<b>`": entry}})
    assert "script" not in Elements(page).tags
    assert "&lt;script&gt;alert(1)" in page
    assert "b" not in Elements(page).tags


def test_a_dataset_without_a_graph_and_with_a_month_gone_has_a_page(harm: Harm, tmp_path: Path) -> None:
    harm(lambda frame: frame.clear(), kind="graph")
    page, summary = reported(harm(lambda frame: frame.head(0), "2021-11", "*"), tmp_path)
    assert {"no_graph", "few_sessions"} <= {finding["kind"] for finding in summary["findings"]}
    assert "errors found" in page


def test_chart_layout_does_not_depend_on_text_width(sound: Path) -> None:
    statistics = surveyed(sound)
    longer = tuple(replace(feature, family=f"a much longer {feature.family}") for feature in statistics.schema.features)
    renamed = replace(statistics, schema=replace(statistics.schema, features=longer))
    drawn = [re.sub(r">[^<]*</text>", ">", charts.clipped(each)) for each in (statistics, renamed)]
    assert drawn[0] == drawn[1]


def test_consecutive_months_are_joined() -> None:
    assert spans(["2020-11", "2020-12", "2021-01", "2021-03"]) == "2020-11 – 2021-01, 2021-03"
    assert spans(["2021-05"]) == "2021-05"
