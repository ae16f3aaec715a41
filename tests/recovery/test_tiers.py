"""Releases are listed from the tags alone."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gogooku3.cli.tiers import tiers as command
from gogooku3.metrics.split_file import table_of
from gogooku3.recovery.promote import promote
from gogooku3.recovery.releases.record import message
from gogooku3.recovery.releases.tag_objects import create_tags, new_object
from gogooku3.recovery.tiers import tiers


@pytest.fixture(scope="module")
def source(trained: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Two versions of tier1, the first of them the best, and one of tier2 that GTO registered."""
    lab = trained.copy(tmp_path_factory.mktemp("released"))
    promote(lab.folder, "tier1")
    lab.train(2, 0.04)
    promote(lab.folder, "tier1", despite_worse="for comparison")
    lab.run("gto", "register", "tier2", "--version", "v0.1.0")
    lab.run("git", "tag", "tier1@v9.9.9")
    return lab


@pytest.fixture
def released(source: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A copy of `source`; the current folder is inside it."""
    lab = source.copy(tmp_path)
    monkeypatch.chdir(lab.folder / "src")
    monkeypatch.setenv("COLUMNS", "200")
    return lab


def test_every_version_is_listed_with_its_stage_and_record(released: Any) -> None:
    first, second, foreign = tiers(released.folder)
    assert [row.tag for row in (first, second, foreign)] == ["tier1@v1.0.0", "tier1@v1.1.0", "tier2@v0.1.0"]
    assert [row.best for row in (first, second, foreign)] == [True, False, False]
    assert first.record is not None
    assert second.record is not None
    assert first.record.model_sha256 != second.record.model_sha256
    assert second.record.despite_worse == "for comparison"
    assert foreign.record is None
    assert second.commit == foreign.commit == released.run("git", "rev-parse", "HEAD").stdout.strip()
    assert {row.in_bucket for row in (first, second, foreign)} == {None}


@pytest.mark.slow
def test_after_a_revoked_stage_the_version_before_is_the_best(released: Any) -> None:
    released.train(3, 0.08)
    promote(released.folder, "tier1")
    assert [row.tag for row in tiers(released.folder) if row.best] == ["tier1@v1.2.0"]
    released.run("gto", "deprecate", "tier1", "v1.2.0", "best")
    assert [row.tag for row in tiers(released.folder) if row.best] == ["tier1@v1.0.0"]
    released.run("gto", "deprecate", "tier1", "v1.0.0")
    rows = tiers(released.folder)
    assert [row.version for row in rows if row.tier == "tier1"] == ["v1.1.0", "v1.2.0"]
    assert not any(row.best for row in rows)


def test_the_table_shows_metrics_with_intervals_in_80_columns(released: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    printed = CliRunner().invoke(command)
    assert printed.exit_code == 0
    record = tiers(released.folder)[0].record
    assert record is not None
    ours, test = record.validation, record.test
    assert ours.rank_ic["1"].value == pytest.approx(0.05)
    commit = released.run("git", "rev-parse", "HEAD~").stdout[:8]
    lines = [re.split(r" *│ *| {2,}", line.strip()) for line in printed.stdout.splitlines() if line.strip()]
    assert lines[2:6] == [
        ["tier1@v1.0.0", "RankIC mean", "0.0550", "0.0350"],
        ["best", "RankIC", "1", str(ours.rank_ic["1"]), str(test.rank_ic["1"])],
        [f"commit {commit}", "RankIC", "5", str(ours.rank_ic["5"]), str(test.rank_ic["5"])],
        ["model", record.model_sha256[:8], "Sharpe", str(ours.sharpe), str(test.sharpe)],
    ]
    assert "not recorded" in printed.stdout


def test_a_horizon_that_one_split_lacks_is_a_dash_there(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = promote(lab.folder, "tier1")
    ours, test = made.record.validation.rank_ic, made.record.test.rank_ic
    record = replace(made.record, test=replace(made.record.test, rank_ic={"5": test["5"], "20": test["1"]}))
    lab.run("git", "tag", "--delete", *made.tags)
    commit = lab.run("git", "rev-parse", "HEAD").stdout.strip()
    create_tags(lab.folder, {made.tags[0]: new_object(lab.folder, made.tags[0], commit, message(record))})
    monkeypatch.chdir(lab.folder)
    monkeypatch.setenv("COLUMNS", "80")
    printed = CliRunner().invoke(command).stdout
    rows = [re.split(r" *│ *| {2,}", line.strip())[-4:] for line in printed.splitlines() if "RankIC  " in line]
    assert [row[1:] for row in rows] == [
        ["1", str(ours["1"]), "–"],
        ["5", str(ours["5"]), str(test["5"])],
        ["20", "–", str(test["1"])],
    ]


def test_json_has_the_whole_record(released: Any) -> None:
    rows = json.loads(CliRunner().invoke(command, ["--json"]).stdout)
    assert rows[1]["record"]["compared_with"]["tag"] == "tier1@v1.0.0"
    own = table_of(json.loads(released.run("git", "show", "tier1@v1.0.0:metrics/test.json").stdout))
    recorded = rows[0]["record"]["test"]["rank_ic"]
    assert recorded == {name: {key: own["rank_ic"][name][key] for key in cell} for name, cell in recorded.items()}
    assert recorded.keys() == own["rank_ic"].keys()


def test_a_version_with_lost_objects_is_named_if_the_bucket_is_checked(released: Any) -> None:
    whole = CliRunner().invoke(command, ["--check"])
    assert (whole.exit_code, whole.stdout.count("bucket complete"), whole.stdout.count("lacks")) == (0, 2, 0)
    own = released.run("git", "show", "tier1@v1.1.0:dvc.lock").stdout
    md5 = own.split("models/package/model.safetensors")[1].split("md5: ")[1].split()[0]
    (released.bucket / "files/md5" / md5[:2] / md5[2:]).unlink()
    lost = CliRunner().invoke(command, ["--check", "--json"])
    assert lost.exit_code == 1
    assert CliRunner().invoke(command, ["--check"]).stdout.count("bucket lacks objects") == 1
    assert [row["in_bucket"] for row in json.loads(lost.stdout)] == [True, False, None]


def test_without_tags_the_table_is_empty(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(lab.folder)
    printed = CliRunner().invoke(command)
    assert (printed.exit_code, "no released version yet" in printed.stdout) == (0, True)
    assert json.loads(CliRunner().invoke(command, ["--json"]).stdout) == []
