"""DVC's run cache restores earlier runs, local or remote; a month of new bars adds one month of features."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .conftest import SMALL, Workspace

pytestmark = pytest.mark.slow


def made(workspace: Workspace) -> dict[str, bytes]:
    files = workspace.bytes_of("data", "models", "metrics", "plots", "reports")
    return {name: content for name, content in files.items() if ".partial" not in name}


def ran(printed: str) -> set[str]:
    """The stages that were run, from DVC's output."""
    return set(re.findall(r"Running stage '([\w@]+)'", printed))


def restored(printed: str) -> set[str]:
    """The stages that were restored from the run cache."""
    return set(re.findall(r"Stage '([\w@]+)' is cached", printed))


def test_a_learning_rate_that_was_tried_before_is_restored(workspace: Workspace) -> None:
    rate = "train.phases.finetune.learning_rate"
    first = workspace.experiment(SMALL | {rate: "0.001"})
    assert {"train@finetune", "evaluate", "attribution", "package"} <= ran(first.stdout)
    of_first = made(workspace)
    workspace.experiment(SMALL | {rate: "0.002"})
    assert made(workspace) != of_first
    again = workspace.experiment(SMALL | {rate: "0.001"})
    assert restored(again.stdout) == {"train@finetune", "evaluate", "attribution", "package"}
    assert ran(again.stdout) == {"report"}  # its page is neither a metric nor a plot, and Git tracks it
    assert made(workspace) == of_first
    assert workspace.planned() == []


def test_another_clone_takes_what_was_run_from_the_bucket(workspace: Workspace, tmp_path: Path) -> None:
    """`dvc.lock` does not record the run: only the run cache does.

    DVC pushes no outputs that Git tracks: a stage with metrics or plots runs, on restored inputs.
    """
    changes = SMALL | {"train.phases.finetune.learning_rate": "0.001"}
    workspace.experiment(changes)
    workspace.run("dvc", "push", "--run-cache")
    clone = Workspace(tmp_path / "elsewhere/gogooku3")
    workspace.run("git", "clone", "--quiet", ".", str(clone.folder))
    (clone.folder / ".dvc/config.local").write_bytes((workspace.folder / ".dvc/config.local").read_bytes())
    clone.compose(changes)
    pulled = clone.run("dvc", "repro", "--pull")
    assert ran(pulled.stdout) == {"evaluate", "attribution", "report"}
    assert restored(pulled.stdout) == {"train@finetune", "package"}  # the others are in the lock file
    assert made(clone) == made(workspace)


def test_a_month_of_new_bars_makes_one_month_of_features(workspace: Workspace) -> None:
    longer = SMALL | {"quotes.end": "2022-12-30"}
    records = workspace.folder / "data/.dataset.partial/months"
    before = {path.name: path.stat().st_mtime_ns for path in records.iterdir()}
    workspace.compose(longer)
    workspace.run("dvc", "repro", "dataset")
    after = {path.name: path.stat().st_mtime_ns for path in records.iterdir()}
    assert {name for name, moment in after.items() if before.get(name) != moment} == {"2022-12.json"}
