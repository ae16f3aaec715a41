"""The dataset at hand against the package's schema: what is missing, added, retyped, reordered, and what to do."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from gogooku3.dataset.schema import Column

from .conftest import Delivery


def test_missing_and_added_columns_are_named_with_the_parameter_that_gives_the_right_ones(delivery: Delivery) -> None:
    *kept, _calendar = delivery.schema.features
    added = tuple(Column(f"rank_{i}", "rank", 1, "rank", "", "float32") for i in range(7))
    delivery.write_dataset(replace(delivery.schema, features=(*kept[:2], *added, *kept[2:])))
    report = delivery.verify()
    assert report.failed == {"dataset"}
    assert report["dataset"].found == (
        "1 missing: feature_5; 7 added: rank_0, rank_1, rank_2, rank_3, rank_4 and 2 more"
    )
    assert "set `dataset.families` to [returns, momentum, calendar] (here [returns, rank, momentum])" in (
        report["dataset"].hint
    )
    assert [detail["column"] for detail in report["dataset"].details] == ["feature_5", *(f"rank_{i}" for i in range(7))]


def test_a_retyped_column_is_named_with_both_types(delivery: Delivery) -> None:
    first, *others = delivery.schema.features
    delivery.write_dataset(replace(delivery.schema, features=(replace(first, dtype="float64"), *others)))
    report = delivery.verify()
    assert report["dataset"].found == "1 retyped: feature_0 (float64, by stock for float32, by stock)"


def test_reordered_columns_are_named_in_pairs(delivery: Delivery) -> None:
    first, second, *others = delivery.schema.features
    delivery.write_dataset(replace(delivery.schema, features=(second, first, *others)))
    report = delivery.verify()
    assert report["dataset"].found == (
        "2 reordered: feature_1 where feature_0 belongs, feature_0 where feature_1 belongs"
    )
    assert "check out the package's commit" in report["dataset"].hint


def test_a_file_with_other_columns_than_its_schema_is_found(delivery: Delivery) -> None:
    header: dict[str, pl.DataType] = {**delivery.schema.feature_columns, "feature_2": pl.Float64()}
    delivery.write_dataset(delivery.schema, header)
    report = delivery.verify()
    assert report.failed == {"dataset"}
    assert "feature_2 (Float64 for Float32)" in report["dataset"].found


def test_other_horizons_are_found(delivery: Delivery) -> None:
    delivery.write_dataset(replace(delivery.schema, horizons=(1, 20)))
    assert "the model scores horizons [1, 5], the dataset has [1, 20]" in delivery.verify()["dataset"].found


def test_another_clip_is_found(delivery: Delivery) -> None:
    delivery.write_dataset(delivery.schema, clip=3.0)
    assert "clipped at 5.0, the dataset's at 3.0" in delivery.verify()["dataset"].found


@pytest.mark.parametrize("name", ["schema.json", "preprocess.json", "features/2024-01.parquet"])
def test_a_dataset_that_lost_a_file_is_found(delivery: Delivery, name: str) -> None:
    (delivery.root / "data/dataset" / name).unlink()
    assert delivery.verify().failed == {"dataset"}
