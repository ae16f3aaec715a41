"""The provenance of a real run has every stage, and only those that ran with the committed outputs."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from gogooku3.recovery.provenance.document import collect
from gogooku3.recovery.releases import git
from gogooku3.training.phases import PHASES

from .conftest import Workspace


def collected(workspace: Workspace) -> dict[str, Any]:
    folder = workspace.folder
    return dict(json.loads(collect(folder, "demo@v1.0.0", git.commit_of(folder, "HEAD"), with_user=False).content))


@pytest.mark.slow
def test_a_run_is_told_by_stage_and_phase_a_restored_stage_is_not_and_results_do_not_depend_on_it(
    workspace: Workspace,
) -> None:
    lock = workspace.folder / "dvc.lock"
    content = collected(workspace)
    assert [name for name, stage in content["stages"].items() if stage["run"] is None] == []
    assert {*content["phases"]} == {*PHASES}
    for name, phase in content["phases"].items():
        assert phase["run"]["seconds"] > 0
        assert phase["run"]["samples_per_second"] > 0
        log = content["logs"][phase["run"]["log"]]
        assert (log.count(f"phase {name}: "), log.count("best epoch: ")) == (1, 1)
        assert content["logs"][phase["run"]["curve"]].startswith("epoch,train_loss,")
    assert len(content["machines"]) == len(content["environments"]) == 1

    # Trained again with the same inputs: the same bytes, and a log of its own.
    before, logs = lock.read_bytes(), workspace.bytes_of("logs/training")
    workspace.run("dvc", "repro", "--force", "--single-item", "train@gat")
    assert (lock.read_bytes(), workspace.changes()) == (before, "")
    after = workspace.bytes_of("logs/training")
    assert {path: after[path] for path in logs} == logs
    assert sorted(path.rpartition(".")[0].endswith("-2") for path in after.keys() - logs.keys()) == [True] * 3

    # Restored from the cache: nothing ran here.
    shutil.rmtree(workspace.folder / "logs")
    shutil.rmtree(workspace.folder / "models/gat")
    workspace.run("dvc", "repro")
    assert (lock.read_bytes(), workspace.changes()) == (before, "")
    content = collected(workspace)
    assert {stage["run"] is None for stage in content["stages"].values()} == {True}
    assert {phase["run"] is None for phase in content["phases"].values()} == {True}
