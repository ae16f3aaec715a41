"""The heat map: shades of missing values, and highlighted errors."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from gogooku3.quality import heat_map
from gogooku3.quality.checks import judge

from .conftest import Harm, surveyed

NAN = pl.lit(float("nan"), pl.Float32)


def shades(folder: Path, name: str, rows: str = "of_dataset") -> list[str]:
    statistics = surveyed(folder)
    made = getattr(heat_map, rows)(statistics, judge(statistics))
    return [cell.shade for cell in next(row for row in made if row.name == name).cells]


def test_there_is_a_row_for_each_kind_of_values(sound: Path) -> None:
    statistics = surveyed(sound)
    names = [row.name for row in heat_map.of_dataset(statistics, judge(statistics))]
    families = list(dict.fromkeys(feature.family for feature in statistics.schema.features))
    assert names == ["bars", *families, "target_1", "target_5", "neighbours"]


def test_a_lookback_fades_in(sound: Path) -> None:
    found = shades(sound, "mom_250_skip_20", "of_features")
    assert found == ["there-0"] * 11 + ["there-1"] + ["there-5"] * 4


def test_no_neighbours_are_expected_before_the_first_graph(sound: Path) -> None:
    assert shades(sound, "neighbours") == ["none"] + ["there-5"] * 15


def test_an_error_is_highlighted_in_its_family_and_month(harm: Harm) -> None:
    folder = harm(lambda frame: frame.with_columns(NAN.alias("ret_5")), "2021-11")
    assert [place for place, shade in enumerate(shades(folder, "returns")) if shade == "fault"] == [10]
    assert "fault" not in shades(folder, "volatility")


def test_a_dead_feature_is_highlighted_in_all_months(harm: Harm) -> None:
    folder = harm(lambda frame: frame.with_columns(NAN.alias("ret_5")))
    assert shades(folder, "ret_5", "of_features") == ["fault"] * 16


def test_the_tooltip_of_a_cell_has_the_missing_share(harm: Harm) -> None:
    first = pl.int_range(pl.len()) < 132
    change = pl.when(first).then(NAN).otherwise(pl.col("ret_1")).alias("ret_1")
    statistics = surveyed(harm(lambda frame: frame.with_columns(change), "2021-11"))
    row = next(row for row in heat_map.of_features(statistics, judge(statistics)) if row.name == "ret_1")
    assert row.cells[10].title == "2021-11: 15 % missing"  # 132 of 22 sessions of 40 stocks
    assert sum(months for _, months in row.runs) == 16
