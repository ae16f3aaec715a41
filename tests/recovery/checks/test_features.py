"""A dataset's columns compared with the package's schema: missing, added, retyped, reordered, and the hints."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
import yaml

from gogooku3.dataset.schema import JOINED, Column, Schema
from gogooku3.features.registry import select
from gogooku3.recovery.checks.features import compare
from gogooku3.runtime.files import write_json

from .conftest import Delivery

ROOT = Path(__file__).parents[3]


def test_missing_and_added_columns_are_named_with_the_parameter_that_gives_the_right_ones(delivery: Delivery) -> None:
    *kept, _calendar = delivery.schema.features
    added = tuple(Column(f"rank_{i}", "rank", 1, "rank", "", "float32") for i in range(7))
    delivery.write_dataset(replace(delivery.schema, features=(*kept[:2], *added, *kept[2:])))
    report = delivery.verify()
    assert report.failed == {"dataset"}
    assert report["dataset"].found == (
        "1 missing, 7 added compared with the package's 6 columns; missing: feature_5; added: all 7 of rank"
    )
    assert report["dataset"].hint == "check out the package's commit, then `dvc pull data/dataset`"
    assert [detail["column"] for detail in report["dataset"].details] == ["feature_5", *(f"rank_{i}" for i in range(7))]


def test_a_retyped_column_is_named_with_both_types(delivery: Delivery) -> None:
    first, *others = delivery.schema.features
    delivery.write_dataset(replace(delivery.schema, features=(replace(first, dtype="float64"), *others)))
    report = delivery.verify()
    assert report["dataset"].found.endswith("columns; retyped: feature_0 (float64, by stock for float32, by stock)")


def test_reordered_columns_are_named_in_pairs(delivery: Delivery) -> None:
    first, second, *others = delivery.schema.features
    delivery.write_dataset(replace(delivery.schema, features=(second, first, *others)))
    report = delivery.verify()
    assert report["dataset"].found == (
        "2 reordered compared with the package's 6 columns;"
        " reordered: feature_1 instead of feature_0, feature_0 instead of feature_1"
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


def git(delivery: Delivery, *arguments: str) -> str:
    command = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.com", *arguments]
    return subprocess.run(command, cwd=delivery.root, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def committed(delivery: Delivery) -> Delivery:
    """A package in a repository whose next commit has another feature set and its dataset."""
    shutil.copyfile(ROOT / "params.yaml", delivery.root / "params.yaml")
    git(delivery, "init", "--quiet")
    git(delivery, "add", "dvc.lock", "params.yaml")
    git(delivery, "commit", "--quiet", "--message", "the package")
    lock = delivery.lock.read_text()
    delivery.lock.write_text("schema: '2.0'\n")
    params = yaml.safe_load((delivery.root / "params.yaml").read_text())
    params["dataset"]["features"] = "full"
    params["dataset"]["graph"]["window"] = 90
    params["train"]["recipe"]["seed"] = 2
    (delivery.root / "params.yaml").write_text(yaml.safe_dump(params))
    git(delivery, "commit", "--quiet", "--all", "--message", "other features")
    delivery.lock.write_text(lock)
    delivery.write_dataset(replace(delivery.schema, features=delivery.schema.features[:-1]))
    return delivery


def test_the_commit_that_made_the_package_is_named_with_the_parameters_that_differ(committed: Delivery) -> None:
    first = git(committed, "rev-list", "--max-parents=0", "HEAD")
    hint = committed.verify()["dataset"].hint
    assert hint.startswith(f"commit {first[:10]} recorded this package: `git checkout {first[:10]} && dvc pull data/")
    assert "dvc exp run -S dataset.features=core -S dataset.graph.window=60 dataset`" in hint
    assert "seed" not in hint, "what does not decide the dataset is not in the hint"


def test_a_release_is_named_by_its_tag(committed: Delivery) -> None:
    first = git(committed, "rev-list", "--max-parents=0", "HEAD")
    git(committed, "tag", "--annotate", "--message", "a release", "tier1@v1.0.0", first)
    hint = committed.verify()["dataset"].hint
    assert f"tier1@v1.0.0, commit {first[:10]}, recorded this package: `git checkout tier1@v1.0.0 && " in hint


def test_other_horizons_name_the_commit_too(committed: Delivery) -> None:
    committed.write_dataset(replace(committed.schema, horizons=(1, 20)))
    assert "recorded this package" in committed.verify()["dataset"].hint


def test_a_package_that_no_commit_records_is_compared_with_the_named_sets(delivery: Delivery) -> None:
    core, extended = (
        replace(delivery.schema, features=tuple(feature.column for feature in select(name)))
        for name in ("core", "extended")
    )
    write_json(core.as_json(), delivery.package / "schema.json")
    delivery.write_dataset(extended)
    found = delivery.verify()["dataset"]
    more = len(extended.features) - len(core.features)
    assert found.found.startswith(f"{more} added compared with the package's {len(core.features)} columns")
    assert found.hint == "set `dataset.features` to core (here extended), then `dvc repro dataset`"


def test_hundreds_of_columns_are_grouped_by_family(delivery: Delivery) -> None:
    families = {"returns": 60, "technical": 150, "volatility": 100, "calendar": 75}
    columns = [
        Column(f"{family}_{i}", family, 1, "stock", "", "float32")
        for family, count in families.items()
        for i in range(count)
    ]
    schema = Schema(tuple(columns), horizons=(1, 5), neighbours=3)
    write_json(schema.as_json(), delivery.package / "schema.json")
    delivery.write_dataset(replace(schema, features=tuple(columns[:200] + columns[210:310])))
    found = delivery.verify()["dataset"]
    assert found.found == (
        "85 missing compared with the package's 385 columns; missing:"
        " 10 of technical (technical_140, technical_141, technical_142, technical_143, technical_144 and 5 more),"
        " all 75 of calendar"
    )
    assert len(found.details) == 85
    shifted = replace(schema, features=(*columns[60:], *columns[:60]))
    assert len(compare(schema, shifted)) == 385
    delivery.write_dataset(shifted)
    finding = delivery.verify()["dataset"]
    assert finding.found.startswith(
        "385 reordered compared with the package's 385 columns; reordered: technical_0 instead of returns_0"
    )
    assert finding.found.endswith("and 380 more")
    assert finding.hint == "check out the package's commit, then `dvc pull data/dataset`"


EPS = Column(
    "joined_statements_eps", JOINED, 1, "stock", "last `EPS` of table `statements`, known 1 session after", "float32"
)


def with_core(schema: Schema, *joined: Column) -> Schema:
    """The schema of a dataset with the core features and some joined ones."""
    return replace(schema, features=(*(feature.column for feature in select("core")), *joined))


def test_a_column_of_a_table_that_is_not_joined_here_names_the_parameter(delivery: Delivery) -> None:
    write_json(with_core(delivery.schema, EPS).as_json(), delivery.package / "schema.json")
    delivery.write_dataset(with_core(delivery.schema))
    found = delivery.verify()["dataset"]
    columns = len(select("core")) + 1
    assert found.found == f"1 missing compared with the package's {columns} columns; missing: joined_statements_eps"
    assert found.hint == (
        "set `dataset.joined.tables` to give `joined_statements_eps`"
        " (last `EPS` of table `statements`, known 1 session after), then `dvc repro dataset`"
    )


def test_a_table_that_only_the_dataset_joins_names_the_parameter(delivery: Delivery) -> None:
    extended = replace(delivery.schema, features=tuple(feature.column for feature in select("extended")))
    write_json(extended.as_json(), delivery.package / "schema.json")
    delivery.write_dataset(with_core(delivery.schema, EPS))
    assert delivery.verify()["dataset"].hint == (
        "set `dataset.features` to extended (here core), set `dataset.joined.tables` to give none,"
        " then `dvc repro dataset`"
    )


def test_a_table_that_is_joined_with_another_lag_is_another_column(delivery: Delivery) -> None:
    earlier = replace(EPS, definition="last `EPS` of table `statements`, known 0 sessions after")
    write_json(with_core(delivery.schema, EPS).as_json(), delivery.package / "schema.json")
    delivery.write_dataset(with_core(delivery.schema, earlier))
    found = delivery.verify()["dataset"]
    assert found.found.endswith(
        "retyped: joined_statements_eps (float32, by stock: last `EPS` of table `statements`, known 0 sessions after"
        " for float32, by stock: last `EPS` of table `statements`, known 1 session after)"
    )
    assert "set `dataset.joined.tables` to give `joined_statements_eps`" in found.hint


def test_other_tables_at_the_commit_that_made_the_package_are_named(committed: Delivery) -> None:
    first = git(committed, "rev-list", "--max-parents=0", "HEAD")
    params = committed.root / "params.yaml"
    content = yaml.safe_load(params.read_text())
    table = {"code": "Code", "published": "Date", "values": {"eps": "EPS"}, "lag": 1, "stale_after": None}
    content["dataset"]["joined"]["tables"] = {"statements": table}
    params.write_text(yaml.safe_dump(content))
    assert committed.verify()["dataset"].hint == (
        f"commit {first[:10]} recorded this package: `git checkout {first[:10]} && dvc pull data/dataset`;"
        f" `dataset.joined` differs here: `git diff {first[:10]} -- params.yaml`"
    )
