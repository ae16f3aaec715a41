"""Headline metrics that the sessions, or a tag's record, do not give are found, with both values."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gogooku3.errors import DataError, MismatchError
from gogooku3.recovery.releases import git, headline, metrics, sessions
from gogooku3.recovery.releases.estimates import Estimate
from gogooku3.recovery.releases.record import parse

KEPT = Path(__file__).parents[2] / "released/0.1.0"
TEXT = (KEPT / "metrics/test.json").read_text(encoding="utf-8")
DAYS = (KEPT / "metrics/sessions/test.csv").read_text(encoding="utf-8")


def contradiction(table: dict[str, Any], days: pl.DataFrame | None) -> str | None:
    return headline.contradiction(metrics.validated(json.dumps(table)), days)


def edited(place: str, value: object) -> dict[str, Any]:
    table: dict[str, Any] = json.loads(TEXT)
    *above, name = place.split(".")
    part = table
    for each in above:
        part = part[each]
    part[name] = value
    return table


def test_a_release_of_an_older_version_has_none() -> None:
    assert contradiction(json.loads(TEXT), sessions.parse(DAYS)) is None


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("sessions", 3), ("from", "2020-01-01"), ("to", "2030-01-01"), ("sharpe.value", 99.0), ("sharpe.value", None),
        ("rank_ic.5.value", 0.9), ("ic.20.value", -0.9), ("mean_rank_ic.value", 0.9), ("mean_rank_ic.value", None),
    ],
)  # fmt: skip
def test_an_edited_value_is_named(place: str, value: object) -> None:
    found = contradiction(edited(place, value), sessions.parse(DAYS))
    assert found is not None
    assert found.startswith(f"{place} {value}, and its sessions give ")


def test_what_one_of_them_lacks_is_not_compared() -> None:
    assert contradiction(edited("sharpe.value", 99.0), None) is None
    for name in ("mean_rank_ic", "sharpe", "ic", "from", "sessions"):
        table = json.loads(TEXT)
        del table[name]
        assert contradiction(table, sessions.parse(DAYS)) is None
    days = sessions.parse(DAYS)
    assert days is not None
    assert contradiction(edited("rank_ic.5.value", 0.9), days.drop("rank_ic_5", "ic_5")) is None


def test_files_of_a_working_tree_are_compared(tmp_path: Path) -> None:
    (tmp_path / "metrics/sessions").mkdir(parents=True)
    with pytest.raises(DataError, match=r"`metrics/walk_forward\.json` or its sessions cannot be read"):
        headline.of_files(tmp_path, "walk_forward")
    (tmp_path / "metrics/sessions/walk_forward.csv").write_text(DAYS)
    (tmp_path / "metrics/walk_forward.json").write_text(TEXT)
    assert headline.of_files(tmp_path, "walk_forward") is None
    (tmp_path / "metrics/walk_forward.json").write_text(json.dumps(edited("sharpe.value", 99.0)))
    found = headline.of_files(tmp_path, "walk_forward")
    assert found is not None
    assert found.startswith("`metrics/walk_forward.json` has sharpe.value 99.0, and its sessions give ")


def test_a_tag_that_records_other_metrics_than_its_commit_is_refused(tmp_path: Path) -> None:
    record = parse((KEPT / "tag.txt").read_text(encoding="utf-8"))
    assert record is not None
    git.run(tmp_path, "init", "--quiet")
    for name in ("validation", "test"):
        for path in (f"metrics/{name}.json", f"metrics/sessions/{name}.csv"):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes((KEPT / path).read_bytes())
    commit(tmp_path)
    headline.require_recorded(tmp_path, "demo@v1.0.0", "HEAD", record)
    other = replace(record, test=replace(record.test, sharpe=replace(record.test.sharpe, value=99.0)))
    with pytest.raises(
        MismatchError, match=r"`metrics/test\.json` of `demo@v1\.0\.0` has sharpe\.value .* records 99\.0"
    ):
        headline.require_recorded(tmp_path, "demo@v1.0.0", "HEAD", other)
    # Both were edited, and the sessions were not.
    value = 99.0
    (tmp_path / "metrics/test.json").write_text(json.dumps(edited("sharpe.value", value)))
    commit(tmp_path)
    with pytest.raises(MismatchError, match=r"sharpe\.value 99\.0, and its sessions give"):
        headline.require_recorded(tmp_path, "demo@v1.0.0", "HEAD", other)
    lacking = replace(record, validation=replace(record.validation, rank_ic={"1": Estimate(None, None, None)}))
    with pytest.raises(MismatchError, match=r"`metrics/validation\.json` .* and the tag records None"):
        headline.require_recorded(tmp_path, "demo@v1.0.0", "HEAD", lacking)


def commit(root: Path) -> None:
    git.run(root, "add", "--all")
    author = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    git.run(root, *author, "commit", "--quiet", "--message", "Metrics")
