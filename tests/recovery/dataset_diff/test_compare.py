"""Two folders: every kind of difference is reported, and months with equal hashes are not read."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from gogooku3.cli import main
from gogooku3.dataset.schema import Column, Schema
from gogooku3.errors import DataError, MismatchError
from gogooku3.recovery.changes import Change
from gogooku3.recovery.dataset_diff.compare import ColumnChange, DatasetDiff, dataset_diff
from gogooku3.recovery.dataset_diff.month import Month, Rows

from .conftest import MONTHS, SCHEMA, Made, put

JANUARY, FEBRUARY = "features/2024-01.parquet", "features/2024-02.parquet"


def diff(folder: Path, old: Made, new: Made) -> DatasetDiff:
    old.write(folder / "a"), new.write(folder / "b")
    return dataset_diff(folder, "a", "b")


def changed(found: DatasetDiff) -> dict[str, list[Month]]:
    return {of_kind.kind: of_kind.changed for of_kind in found.months if of_kind.changed}


def test_equal_datasets_have_no_difference(made: Made, tmp_path: Path) -> None:
    found = diff(tmp_path, made, made)
    assert found.same
    assert [(each.kind, each.same) for each in found.months] == [("features", 3), ("targets", 3), ("graph", 3)]


def test_values_are_counted_by_column_with_the_first_date_and_code(made: Made, tmp_path: Path) -> None:
    new = made.with_frame(FEBRUARY, put("feature_2", 4, 9.0)).with_frame(FEBRUARY, put("feature_2", 1, 9.0))
    found = diff(tmp_path, made, new)
    assert changed(found) == {
        "features": [Month("2024-02", None, None, {"feature_2": Rows(2, "2024-02-01", "1332")})],
    }
    assert not found.same
    assert (found.columns, found.settings) == ([], [])
    assert [each.same for each in found.months] == [2, 3, 3]


def test_missing_values_are_equal_and_zeros_of_two_signs_are_not(made: Made, tmp_path: Path) -> None:
    old = made.with_frame(JANUARY, put("feature_0", 0, np.nan)).with_frame(JANUARY, put("feature_1", 5, 0.0))
    new = made.with_frame(JANUARY, put("feature_0", 0, np.nan)).with_frame(JANUARY, put("feature_1", 5, -0.0))
    (month,) = changed(diff(tmp_path, old, new))["features"]
    assert month.values == {"feature_1": Rows(1, "2024-01-05", "1605")}


def test_a_value_that_went_missing_differs(made: Made, tmp_path: Path) -> None:
    (month,) = changed(diff(tmp_path, made, made.with_frame(JANUARY, put("feature_3", 3, np.nan))))["features"]
    assert month.values == {"feature_3": Rows(1, "2024-01-05", "1301")}


def test_rows_of_one_side_are_counted_and_the_others_compared(made: Made, tmp_path: Path) -> None:
    fifth = date(2024, 1, 5)
    old = made.with_frame(JANUARY, lambda frame: frame.filter(pl.col("Code") != "1301"))
    new = made.with_frame(JANUARY, put("feature_0", 5, 1.5)).with_frame(
        JANUARY, lambda frame: frame.filter((pl.col("Date") != fifth) | (pl.col("Code") != "1332"))
    )
    (month,) = changed(diff(tmp_path, old, new))["features"]
    assert month == Month(
        "2024-01",
        removed=Rows(1, "2024-01-05", "1332"),
        added=Rows(2, "2024-01-04", "1301"),
        values={"feature_0": Rows(1, "2024-01-05", "1605")},
    )


def test_edges_are_compared_by_their_rank(made: Made, tmp_path: Path) -> None:
    def other_neighbour(frame: pl.DataFrame) -> pl.DataFrame:
        names = ["1605", *frame["Neighbour"][1:]]
        return frame.with_columns(Neighbour=pl.Series(names), SameSector=pl.lit(True))

    found = changed(diff(tmp_path, made, made.with_frame("graph/2024-03.parquet", other_neighbour)))
    (month,) = found["graph"]
    assert month.values == {
        "Neighbour": Rows(1, "2024-03-01", "1301"),
        "SameSector": Rows(3, "2024-03-01", "1332"),
    }


def test_months_that_one_side_lacks_are_named_by_kind(made: Made, tmp_path: Path) -> None:
    old = made.without("2024-02")
    new = replace(made, frames={name: frame for name, frame in made.frames.items() if name != "graph/2024-01.parquet"})
    found = diff(tmp_path, old, new)
    assert [(each.kind, each.added, each.removed, each.same) for each in found.months] == [
        ("features", ["2024-02"], [], 2),
        ("targets", ["2024-02"], [], 2),
        ("graph", ["2024-02"], ["2024-01"], 1),
    ]


def test_a_month_of_the_same_hash_is_not_read(made: Made, tmp_path: Path) -> None:
    made.write(tmp_path / "a"), made.with_frame(FEBRUARY, put("feature_2", 4, 9.0)).write(tmp_path / "b")
    for side in ("a", "b"):
        for name in (JANUARY, "targets/2024-02.parquet", "graph/2024-03.parquet"):
            (tmp_path / side / name).write_bytes(b"nothing that could be read")
    found = dataset_diff(tmp_path, "a", "b")
    assert [len(each.changed) for each in found.months] == [1, 0, 0]


def columns(names: str, **others: Column) -> Schema:
    by_name = {column.name: column for column in SCHEMA.features} | others
    return replace(SCHEMA, features=tuple(by_name[name] for name in names.split()))


def test_columns_are_added_removed_retyped_reordered_and_redefined(made: Made, tmp_path: Path) -> None:
    first, *_, last = SCHEMA.features
    new = columns(
        "feature_2 feature_1 feature_0 novel",
        feature_0=replace(first, scope="session"),
        feature_2=replace(SCHEMA.features[2], definition="another formula", lookback=20),
        novel=replace(last, name="novel"),
    )
    found = diff(tmp_path, made, Made.of(new))
    assert found.columns == [
        ColumnChange("features", "removed", "feature_3", "float32, by stock", None),
        ColumnChange("features", "added", "novel", None, "float32, by stock"),
        ColumnChange("features", "retyped", "feature_0", "float32, by stock", "float32, by session"),
        ColumnChange("features", "reordered", "feature_0", "feature_0", "feature_2"),
        ColumnChange("features", "reordered", "feature_2", "feature_2", "feature_0"),
        ColumnChange(
            "features",
            "redefined",
            "feature_2",
            "returns, lookback 1: formula 2",
            "returns, lookback 20: another formula",
        ),
    ]
    assert [month.month for month in changed(found)["features"]] == [*MONTHS]


def test_shared_columns_are_compared_next_to_others_that_differ(made: Made, tmp_path: Path) -> None:
    new = Made.of(columns("feature_3 feature_0")).with_frame(FEBRUARY, put("feature_0", 2, 8.0))
    found = changed(diff(tmp_path, made, new))["features"]
    assert [(month.month, month.values) for month in found] == [
        ("2024-01", {}),
        ("2024-02", {"feature_0": Rows(1, "2024-02-01", "1605")}),
        ("2024-03", {}),
    ]


def test_another_horizon_is_a_column_of_the_targets(made: Made, tmp_path: Path) -> None:
    found = diff(tmp_path, made, Made.of(replace(SCHEMA, horizons=(1, 20))))
    assert found.columns == [
        ColumnChange("targets", "removed", "target_5", "Float32", None),
        ColumnChange("targets", "added", "target_20", None, "Float32"),
    ]
    assert len(changed(found)["targets"]) == 3


def test_settings_that_change_no_month_are_differences_too(made: Made, tmp_path: Path) -> None:
    new = replace(made, clip=3.0, first_of_test="2024-03-04", schema=replace(SCHEMA, neighbours=2))
    found = diff(tmp_path, made, new)
    assert found.settings == [
        Change("neighbours", 1, 2),
        Change("clip", 5.0, 3.0),
        Change("split.test", {"first": "2024-03-01"}, {"first": "2024-03-04"}),
    ]
    assert changed(found) == {}
    assert not found.same


def test_a_month_that_does_not_match_its_dataset_is_refused(made: Made, tmp_path: Path) -> None:
    folder = made.write(tmp_path / "a")
    made.with_frame(JANUARY, put("feature_2", 4, 9.0)).write(tmp_path / "b")
    made.with_frame(JANUARY, put("feature_2", 4, 8.0)).write(tmp_path / "c")
    (folder / JANUARY).write_bytes((tmp_path / "c" / JANUARY).read_bytes())
    with pytest.raises(MismatchError, match="has other values than were written"):
        dataset_diff(tmp_path, "a", "b")


@pytest.mark.parametrize("name", ["schema.json", "contents.json", "preprocess.json", "split.json", JANUARY])
def test_an_incomplete_dataset_is_refused(made: Made, tmp_path: Path, name: str) -> None:
    made.write(tmp_path / "a"), made.write(tmp_path / "b")
    (tmp_path / "b" / name).unlink()
    with pytest.raises(DataError, match=name.replace(".", r"\.")):
        dataset_diff(tmp_path, "a", "b")


def test_the_command_prints_tables_or_json(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "140")
    made.without("2024-03").write(tmp_path / "a")
    replace(Made.of(), clip=3.0).with_frame(JANUARY, put("feature_2", 4, 9.0)).write(tmp_path / "b")
    result = CliRunner().invoke(main, ["dataset", "diff", "a", "b"])
    assert result.exit_code == 0
    lines = [" ".join(line.replace("│", " ").split()) for line in result.stdout.splitlines()]
    assert "clip 5.0 3.0" in lines
    assert "features 2024-03 2024-01 1" in lines
    assert "features 2024-01 1: feature_2 in 1 rows, first 2024-01-05 1332" in lines
    content = json.loads(CliRunner().invoke(main, ["dataset", "diff", "a", "b", "--json"]).stdout)
    assert content["same"] is False
    assert content["months"][0]["changed"][0]["values"] == {
        "feature_2": {"count": 1, "date": "2024-01-05", "code": "1332"}
    }
    equal = CliRunner().invoke(main, ["dataset", "diff", "a", "a"])
    assert equal.stdout == "same: columns, settings, every row of every month\n"


def test_the_command_reports_errors_without_a_traceback(made: Made, tmp_path: Path) -> None:
    made.write(tmp_path / "a")
    (tmp_path / "empty").mkdir()
    done = CliRunner().invoke(main, ["dataset", "diff", str(tmp_path / "a"), str(tmp_path / "empty")])
    assert done.exit_code == 3
    assert done.stderr.startswith(f"error: `{tmp_path / 'empty' / 'schema.json'}` does not exist\nhint: ")
