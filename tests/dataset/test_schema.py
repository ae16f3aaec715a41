"""The schema of a dataset: it is read as it was written, and differences of columns are listed by kind."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gogooku3.dataset.schema import JOINED, Column, Schema, differences, positions
from gogooku3.errors import DataError, MismatchError

COLUMNS = (
    Column("ret_1", "returns", 2, "stock", "log(C_t / C_{t−1})", "float32"),
    Column("joined_a_b", JOINED, 1, "stock", "last `b`", "float32"),
)
SCHEMA = Schema(COLUMNS, (1, 5), 3)


def write(folder: Path, **changes: Any) -> Path:
    path = folder / "schema.json"
    path.write_text(json.dumps(SCHEMA.as_json() | changes))
    return path


def test_a_schema_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert Schema.read(write(tmp_path)) == SCHEMA
    assert list(SCHEMA.columns("targets/2024-01.parquet")) == ["Date", "Code", "target_1", "target_5"]
    assert list(SCHEMA.columns("features/2024-01.parquet")) == ["Date", "Code", "ret_1", "joined_a_b"]


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"lookback": 3, "family": "other", "definition": "another formula"}, True),
        ({"name": "ret_2"}, False),
        ({"scope": "rank"}, False),
        ({"dtype": "float64"}, False),
    ],
)
def test_the_abi_is_that_of_names_types_and_scopes(change: dict[str, Any], same: bool) -> None:
    other = replace(SCHEMA, features=(replace(COLUMNS[0], **change), COLUMNS[1]))
    assert (other.abi == SCHEMA.abi) == same
    assert replace(SCHEMA, features=COLUMNS[::-1]).abi != SCHEMA.abi


def test_the_abi_of_a_joined_feature_has_its_definition() -> None:
    other = replace(SCHEMA, features=(COLUMNS[0], replace(COLUMNS[1], definition="last `c`")))
    assert other.abi != SCHEMA.abi


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["ret_1", "target_1"], "has forward returns among its features: target_1"),
        (["ret_1", "ret_1"], "has 1 duplicate features: ret_1"),
    ],
)
def test_targets_and_duplicates_among_the_features_are_refused(tmp_path: Path, names: list[str], text: str) -> None:
    features = [COLUMNS[0].__dict__ | {"name": name} for name in names]
    with pytest.raises(MismatchError) as refusal:
        Schema.read(write(tmp_path, features=features))
    assert text in refusal.value.message


def test_another_abi_and_another_content_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MismatchError, match="has the ABI 00ff, but its 2 features have"):
        Schema.read(write(tmp_path, abi="00ff"))
    with pytest.raises(DataError, match="is not a dataset's schema"):
        Schema.read(write(tmp_path, features=[{"name": "ret_1"}]))


@pytest.mark.parametrize(
    ("actual", "text"),
    [
        ({"a": 1, "b": 2, "c": 3}, ""),
        ({"a": 1, "c": 3}, "1 missing: b"),
        ({"a": 1, "b": 2, "c": 3, "d": 4}, "1 added: d"),
        ({"a": 1, "b": 9, "c": 3}, "1 retyped: b (9 for 2)"),
        ({"b": 2, "a": 1, "c": 3}, "2 reordered: b where a belongs, a where b belongs"),
        ({"b": 9, "a": 1, "d": 4}, "1 missing: c; 1 added: d; 1 retyped: b (9 for 2)"),
        ({"a": 1, "b": 2, "c": 3} | dict.fromkeys("defgh", 0), "5 added: d, e, f, g, h"),
        ({"a": 1, "b": 2, "c": 3} | dict.fromkeys("defghij", 0), "7 added: d, e, f, g, h and 2 more"),
    ],
)
def test_differences_are_listed_by_kind(actual: dict[str, int], text: str) -> None:
    assert differences(actual, {"a": 1, "b": 2, "c": 3}) == text


def test_positions_are_those_in_the_known_values() -> None:
    assert positions(pl.Series(["c", "a", "c"]), pl.Series(["a", "b", "c"])).tolist() == [2, 0, 2]


def test_a_path_that_is_no_folder_is_told_from_a_folder_without_a_schema(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for wrong in (tmp_path / "typo", tmp_path / "file"):
        with pytest.raises(DataError, match=f"`{wrong}` is not a folder"):
            Schema.read(wrong / "schema.json")
    with pytest.raises(DataError, match=r"schema\.json` does not exist"):
        Schema.read(tmp_path / "schema.json")
