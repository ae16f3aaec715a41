"""A hyperparameter search over the real pipeline, killed during training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gogooku3.recovery.trials import count

from ..search.conftest import begun, kill_trials, trials, wait
from .conftest import Workspace

SPACE = {
    "objective": "mean_rank_ic",
    "trials": 1,
    "seed": 0,
    "parameters": {
        "train.recipe.weight_decay": {"low": 1e-4, "high": 1e-1, "log": True},
        "train.phases.gat.epochs": {"choices": [3]},  # long enough for a kill
    },
}


@pytest.mark.slow
def test_a_trial_killed_in_training_goes_on_and_is_the_experiment_that_it_would_have_been(
    workspace: Workspace, tmp_path: Path
) -> None:
    """Killed in the third phase, first the stage alone, then all processes; the first two phases are not run again."""
    (workspace.folder / "decay.yaml").write_text(json.dumps(SPACE))
    command = ("gogooku3", "search", "decay.yaml", "--json")
    folder, before = workspace.folder / "logs/search/decay", count(workspace.folder, "demo").count
    said = folder / "decay-0.log"
    with begun(workspace.folder, workspace.environment, *command) as search:
        wait(lambda: bool([*(folder / "workspace/models").glob(".gat.partial/0*")]), search)
        [stage] = [each for each in trials(workspace.folder) if "stages" in each.cmdline()]
        stage.kill()
        _, told = search.communicate(timeout=600)
    assert search.returncode == 4, told
    assert "error: train@gat: killed by SIGKILL" in told
    assert "\nhint: the same command resumes from the newest checkpoint" in told
    with begun(workspace.folder, workspace.environment, *command) as victim:
        wait(lambda: "resuming from epoch" in said.read_text(), victim)
        victim.kill()
    kill_trials(workspace.folder)
    assert workspace.changes() == "?? decay.yaml\n"
    found: dict[str, Any] = json.loads(workspace.run(*command).stdout)
    assert "Running stage 'train@gat'" in said.read_text()
    assert "resuming from epoch" in said.read_text()
    assert "Running stage 'train@adaptive_norm'" not in said.read_text()
    assert workspace.changes() == "?? decay.yaml\n"
    assert [trial["state"] for trial in found["trials"]] == ["complete"]
    assert found["results"] == count(workspace.folder, "demo").count == before + 1
    assert not (folder / "workspace").exists()

    alone = workspace.copy(tmp_path / "alone")
    values = found["trials"][0]["parameters"].items()
    settings = [part for name, value in values for part in ("-S", f"{name}={value!r}")]
    alone.run("dvc", "exp", "run", "--no-hydra", *settings, "--name", "alone")
    workspace.run("dvc", "exp", "apply", "decay-0")
    for name in ("dvc.lock", "params.yaml", "metrics/validation.json", "models/finetune/model.safetensors"):
        assert (workspace.folder / name).read_bytes() == (alone.folder / name).read_bytes(), name
