"""Every difference between two experiments is reported, in the order of its likely effect on results."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gogooku3.cli.diff import diff as command
from gogooku3.errors import DataError, GitError
from gogooku3.features.registry import select
from gogooku3.recovery.changes import Change
from gogooku3.recovery.diff import CodeChange, Diff, diff


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.fixture(scope="module")
def changed(trained: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Two commits, tagged `before` and `after`, that differ in every section. Read-only."""
    lab = trained.copy(tmp_path_factory.mktemp("changed"))
    lab.run("git", "tag", "before")
    params = lab.folder / "params.yaml"
    replace(params, "stocks: 120\n  start", "stocks: 100\n  start")
    replace(params, "batch_size: 1440", "batch_size: 256")
    replace(params, "features: core", "features: extended")
    replace(params, "embargo: 20", "embargo: 25")
    replace(params, "hidden_size: 16", "hidden_size: 32")
    replace(params, "name: tier1", "name: tier2")
    replace(params, "    learning_rate: 0.002", "    learning_rate: 0.002\n      warm_up: true")
    replace(lab.folder / "requirements.lock", "click==", "click==99.")
    (lab.folder / "src/gogooku3/training/code.py").write_text("one\n2\nthree\nfour\n")
    (lab.folder / "src/gogooku3/files.py").write_text("new\n")
    lab.make(lab.folder / "made", 2, 0.03)
    (lab.folder / "made/quotes/bars.txt").write_text("other bars\n")
    lab.reproduce()
    lab.run("git", "tag", "after")
    return lab


def hash_of(lab: Any, rev: str, path: str) -> str:
    lock = lab.run("git", "show", f"{rev}:dvc.lock").stdout
    outs = lock.split(f"- path: {path}\n")[1]
    return str(outs.split("md5: ")[1].split()[0])


def test_every_section_names_its_differences(changed: Any) -> None:
    found = diff(changed.folder, "before", "after")
    assert found.parameters == [
        Change("train.recipe.batch_size", 1440, 256),
        Change("train.phases.finetune.warm_up", None, True),
        Change("model.backbone.hidden_size", 16, 32),
        Change("dataset.features", "core", "extended"),
        Change("quotes.stocks", 120, 100),
        Change("tier.name", "tier1", "tier2"),
    ]
    assert found.split == [Change("dataset.split.embargo", 20, 25)]
    old, new = (Counter(feature.family for feature in select(name)) for name in ("core", "extended"))
    assert found.features == [Change(name, old[name], count) for name, count in new.items() if old[name] != count]
    assert found.data == [
        Change("data/quotes", hash_of(changed, "before", "data/quotes"), hash_of(changed, "after", "data/quotes"))
    ]
    (click,) = found.environment
    assert click.name == "click"
    assert click.new == f"99.{click.old}"
    assert found.code == [CodeChange("gogooku3", 1, 1, 0), CodeChange("training", 1, 2, 1)]
    metrics = {change.name: change for change in found.metrics}
    assert set(metrics) >= {
        *(f"{split}.{name}.{h}" for split in ("validation", "test") for name in ("rank_ic", "ic") for h in (1, 5)),
        "test.sharpe",
    }
    assert not {"validation.sessions", "test.from", "validation.universe"} & set(metrics)
    assert metrics["validation.rank_ic.1"].old["value"] == pytest.approx(0.05)
    assert metrics["validation.rank_ic.1"].difference == pytest.approx(-0.02)
    assert metrics["test.rank_ic.5"].difference == pytest.approx(-0.04)


def test_the_working_tree_compares_as_the_commit_that_it_equals(changed: Any) -> None:
    assert diff(changed.folder, "before") == diff(changed.folder, "before", "after")
    assert diff(changed.folder, "workspace", "before") == diff(changed.folder, "after", "before")


def test_uncommitted_changes_are_included(lab: Any) -> None:
    replace(lab.folder / "params.yaml", "batch_size: 1440", "batch_size: 256")
    (lab.folder / "src/gogooku3/training/new.py").write_text("one\ntwo\n")
    found = diff(lab.folder, "HEAD")
    assert found.parameters == [Change("train.recipe.batch_size", 1440, 256)]
    assert found.code == [CodeChange("training", 1, 2, 0)]


def test_equal_sides_have_no_difference(lab: Any) -> None:
    assert diff(lab.folder, "HEAD", "main") == Diff([], [], [], [], [], [], [])


def test_a_commit_from_before_the_pipeline_lacks_everything(lab: Any) -> None:
    lab.run("git", "checkout", "--quiet", "--orphan", "empty")
    lab.run("git", "rm", "-r", "--cached", "--quiet", ".")
    lab.run("git", "commit", "--quiet", "--allow-empty", "--message", "Nothing")
    found = diff(lab.folder, "HEAD", "main")
    assert Change("train.recipe.batch_size", None, 1440) in found.parameters
    assert [(change.name, change.old) for change in found.data] == [("data/quotes", None), ("data/dataset", None)]
    assert [change.name for change in found.features][-1] == "models/package/schema.json"


def test_an_unknown_revision_is_refused(lab: Any) -> None:
    with pytest.raises(GitError, match="`tier7` is not a commit here"):
        diff(lab.folder, "tier7")


def test_the_table_begins_with_the_parameters_and_ends_with_what_is_the_same(
    changed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(changed.folder)
    monkeypatch.setenv("COLUMNS", "140")
    printed = CliRunner().invoke(command, ["before", "after"])
    assert printed.exit_code == 0
    lines = [line for line in printed.stdout.splitlines() if line.strip()]
    assert lines[0].strip() == "Parameters"
    assert [cell.strip() for cell in lines[4].split("│")[1:-1]] == ["train.recipe.batch_size", "1440", "256"]
    assert "0.030 [" in printed.stdout
    assert "-0.0200" in printed.stdout
    same = CliRunner().invoke(command, ["after"])
    assert same.stdout == "same: parameters, split, features, data, environment, code, metrics\n"


def test_json_has_every_difference(changed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(changed.folder)
    found = json.loads(CliRunner().invoke(command, ["before", "after", "--json"]).stdout)
    assert (found["old"], found["new"]) == ("before", "after")
    assert found["parameters"][0] == {"name": "train.recipe.batch_size", "old": 1440, "new": 256}
    assert found["code"][1] == {"room": "training", "files": 1, "added": 2, "removed": 1}
    assert {"name", "old", "new", "difference"} == set(found["metrics"][0])


@pytest.mark.parametrize("path", ["params.yaml", "metrics/validation.json", "metrics/test.json"])
@pytest.mark.parametrize("content", [b"{", b"a: [", b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_named(lab: Any, path: str, content: bytes) -> None:
    (lab.folder / path).write_bytes(content)
    with pytest.raises(DataError, match=f"`{path}` of the working tree cannot be read"):
        diff(lab.folder, "HEAD")


@pytest.mark.parametrize(
    "content", ["", "[]", '{"sharpe": 1.5}', '{"sharpe": {"value": "high"}}', '{"rank_ic": {"1": {}}, "ic": []}']
)
def test_invalid_metrics_are_not_taken_for_an_older_version_s(lab: Any, content: str) -> None:
    (lab.folder / "metrics/test.json").write_text(content)
    with pytest.raises(DataError, match=r"`metrics/test\.json` of the working tree cannot be read: not "):
        diff(lab.folder, "HEAD")
