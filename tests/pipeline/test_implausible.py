"""A joined table whose publication dates are a session early is an error at every door of the pipeline."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from .conftest import SMALL, Workspace

FOLDER = "data/raw/joined"
TABLE = "{code:LocalCode,published:DisclosedDate,values:{signal:Signal},lag:1,stale_after:null}"
EARLY = SMALL | {
    "dataset.joined.folder": FOLDER,
    "+dataset.joined.tables.early": TABLE,
    "train.phases.baseline.epochs": "4",
    "train.phases.baseline.learning_rate": "0.01",
}


def published_early(workspace: Workspace) -> pl.DataFrame:
    """The return of each session, dated so that the close before it knows it."""
    bars = pl.read_parquet(workspace.folder / "data/quotes/bars.parquet").sort("Code", "Date")
    close = bars.with_columns(adjusted=pl.col("Close") / pl.col("AdjustmentFactor").cum_prod().over("Code"))
    return close.select(
        LocalCode="Code",
        DisclosedDate=pl.col("Date").shift(1).over("Code"),
        Signal=(pl.col("adjusted").shift(-1) / pl.col("adjusted") - 1).over("Code"),
    ).drop_nulls()


def evaluated(workspace: Workspace) -> dict[str, Any]:
    content = json.loads((workspace.folder / "metrics/test.json").read_text())
    table: dict[str, Any] = content.get("evaluation", [content])[0]
    return table


@pytest.mark.slow
def test_a_table_published_a_session_early_is_an_error_at_every_door(workspace: Workspace) -> None:
    assert evaluated(workspace)["plausibility"] == []
    path = workspace.folder / FOLDER / "early.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    published_early(workspace).write_parquet(path)
    workspace.compose(EARLY)
    workspace.run("dvc", "repro")

    report = json.loads((workspace.folder / "reports/data_quality.json").read_text())
    (finding,) = [each for each in report["findings"] if each["check"] == "plausibility"]
    assert (finding["level"], finding["features"]) == ("fault", ["joined_early_signal"])
    assert not report["sound"]
    found = {each["name"]: each for each in evaluated(workspace)["plausibility"]}
    assert found["oracle"]["level"] == "error"
    assert found["oracle"]["value"] > 1
    page = (workspace.folder / "reports/tier.html").read_text()
    assert "<h1>On a synthetic market, these results are too good to be true</h1>" in page
    assert "**Too good to be true**, on test: RankIC" in (workspace.folder / "models/package/README.md").read_text()

    workspace.commit("A model that knows the future")
    done = workspace.run("gogooku3", "promote", "demo", "--no-push", check=False)
    assert done.returncode == 1
    assert "error: the results are too good to be true: on validation, RankIC" in done.stderr
    assert workspace.run("git", "tag").stdout == ""
