"""A joined table in the pipeline: a hashed input, an as-of join for each session, and errors for bad tables."""

from __future__ import annotations

import json
from datetime import date, timedelta

import polars as pl
import pytest

from .conftest import SMALL, Workspace, bring_back

FOLDER = "data/raw/joined"
TABLE = "{code:LocalCode,published:DisclosedDate,values:{eps:EPS,bps:BPS},lag:1,stale_after:null}"
JOINED = SMALL | {"dataset.joined.folder": FOLDER, "+dataset.joined.tables.statements": TABLE}


def give(workspace: Workspace, table: pl.DataFrame) -> None:
    path = workspace.folder / FOLDER / "statements.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    table.write_parquet(path)


def statements(workspace: Workspace) -> pl.DataFrame:
    """Three statements of every stock."""
    codes = pl.read_parquet(workspace.folder / "data/quotes/listed.parquet")["Code"].to_list()
    days = [date(2020, 11, 10), date(2021, 11, 9), date(2022, 5, 10)]
    table = [
        (code, day + timedelta(days=place % 9), float(place + 100 * year), 1000.0 - place)
        for place, code in enumerate(codes)
        for year, day in enumerate(days)
    ]
    return pl.DataFrame(table, ["LocalCode", "DisclosedDate", "EPS", "BPS"], orient="row")


@pytest.mark.slow
def test_a_table_is_an_input_of_the_dataset_and_each_row_is_known_after_its_day(workspace: Workspace) -> None:
    table = statements(workspace)
    give(workspace, table)
    workspace.compose(JOINED)
    workspace.run("dvc", "repro", "dataset")
    schema = json.loads((workspace.folder / "data/dataset/schema.json").read_text())
    assert [column["name"] for column in schema["features"][-2:]] == ["joined_statements_eps", "joined_statements_bps"]
    workspace.commit("With statements")
    assert "train@baseline" in workspace.planned()

    row = (pl.col("LocalCode") == table["LocalCode"][0]) & (pl.col("DisclosedDate") == date(2022, 5, 10))
    give(workspace, table.with_columns(pl.when(row).then(-500.0).otherwise("EPS").alias("EPS")))
    assert workspace.planned()[0] == "dataset"
    workspace.run("dvc", "repro", "dataset")
    found = json.loads(workspace.run("gogooku3", "dataset", "diff", "HEAD", "--json").stdout)
    features, targets, graph = found["months"]
    assert [month["month"] for month in features["changed"]] == [f"2022-{month:02}" for month in range(5, 12)]
    assert {name for month in features["changed"] for name in month["values"]} == {"joined_statements_eps"}
    assert features["changed"][0]["values"]["joined_statements_eps"]["date"] == "2022-05-11"
    assert targets["changed"] == graph["changed"] == []

    before = workspace.bytes_of("data/dataset") | {"lock": (workspace.folder / "dvc.lock").read_bytes()}
    give(workspace, pl.concat([table, table.head(3)]))
    done = workspace.run("dvc", "repro", "dataset", check=False)
    assert f"error: `{FOLDER}/statements.parquet` has 6 rows with a duplicate code and publication date" in done.stderr
    assert "Traceback" not in done.stderr
    assert bring_back(workspace, done) == ["dvc checkout"]
    assert workspace.bytes_of("data/dataset") | {"lock": (workspace.folder / "dvc.lock").read_bytes()} == before
