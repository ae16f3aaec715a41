"""Two tiers with different objectives, from training and search to promotion, through the real DVC."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import SMALL, Workspace

SWIFT = SMALL | {
    "tier.name": "swift",
    "tier.metric": "sharpe",
    "tier.target": "1000.0",
    "tier.compared_with": "parent",
    "train.start_from": "demo@v1.0.0",
    "train.recipe.seed": "2",
    "train.recipe.loss.ic": "0.0",
    "train.recipe.loss.horizons": "[0.0,1.0,0.0,0.0]",
    "train.phases.baseline.epochs": "3",
    "train.phases.baseline.learning_rate": "0.0005",
    "train.phases.adaptive_norm.epochs": "0",
    "train.phases.gat.epochs": "0",
}
SPACE = {"tiers": ["swift"], "trials": 2, "seed": 0, "parameters": {"train.recipe.seed": {"choices": [2, 3]}}}


def promoted(workspace: Workspace, tier: str, *options: str) -> dict[str, Any]:
    done = workspace.run("gogooku3", "promote", tier, "--no-push", "--json", *options)
    record: dict[str, Any] = json.loads(done.stdout)["record"]
    return record


@pytest.mark.slow
def test_each_tier_is_trained_searched_and_released_by_its_own_metric(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "bucket").mkdir()
    workspace.run("dvc", "remote", "modify", "--local", "store", "url", str(tmp_path / "bucket"))
    demo = promoted(workspace, "demo")
    assert (demo["objective"]["metric"], demo["objective"]["target"], demo["reference"]) == ("mean_rank_ic", 0.15, None)

    workspace.experiment(SWIFT)
    workspace.commit("A tier for the Sharpe ratio")
    history = json.loads((workspace.folder / "models/baseline/history.json").read_text())
    ratios = [epoch["validation_sharpe"] for epoch in history["epochs"]]
    assert max(ratios) > history["start"]["validation_sharpe"]
    assert (history["metric"], history["best_epoch"]) == ("sharpe", ratios.index(max(ratios)))
    curve = (workspace.folder / "plots/training/baseline.csv").read_text().splitlines()
    assert curve[0] == "epoch,train_loss,validation_rank_ic,validation_sharpe,kept"
    card = (workspace.folder / "models/package/README.md").read_text()
    assert "; target 1000: not reached. Expectation: " in card

    first = promoted(workspace, "swift")
    assert (first["compared_with"], first["objective"]["metric"]) == (None, "sharpe")
    assert (first["reference"]["tag"], first["reference"]["metric"]) == ("demo@v1.0.0", "sharpe")
    assert (first["lineage"], first["trials"]) == (["demo"], demo["trials"] + 1)

    (workspace.folder / "seeds.yaml").write_text(json.dumps(SPACE))
    found = json.loads(workspace.run("gogooku3", "search", "seeds.yaml", "--json").stdout)
    assert (found["objective"], found["tier"], found["results"]) == ("sharpe", "swift", first["trials"] + 1)
    assert found["best"]["value"]["value"] == max(trial["value"]["value"] for trial in found["trials"])
    other = next(trial["experiment"] for trial in found["trials"] if trial["parameters"]["train.recipe.seed"] == 3)
    workspace.run("dvc", "exp", "apply", other)
    workspace.commit("Another seed")

    said = workspace.run("gogooku3", "promote", "swift", "--no-push", check=False)
    ours, theirs = (json.loads(each)["sharpe"]["value"] for each in metrics(workspace))
    if ours < theirs:
        assert said.returncode == 1
        assert f"the Sharpe ratio on validation is {ours:.6f}" in said.stderr
        second = promoted(workspace, "swift", "--despite-worse", "another seed")
    else:
        assert said.returncode == 0, said.stderr
        second = json.loads(workspace.run("gogooku3", "tiers", "--json").stdout)[-1]["record"]
    assert (second["compared_with"]["tag"], second["compared_with"]["metric"]) == ("swift@v1.0.0", "sharpe")
    assert second["compared_with"]["value"] == theirs
    assert (second["stage_tag"] is not None) == (ours > theirs)

    workspace.run("gogooku3", "leaderboard")
    board = (workspace.folder / "docs/leaderboard.md").read_text()
    assert board.count("| Sharpe ratio, 1000: not reached |") == 2
    rows = json.loads(workspace.run("gogooku3", "experiments", "--json").stdout)
    assert {row["tier"] for row in rows["experiments"]} >= {"demo", "swift"}


def metrics(workspace: Workspace) -> tuple[str, str]:
    """Validation metrics of HEAD and of the first release of the tier."""
    ours = (workspace.folder / "metrics/validation.json").read_text()
    return ours, workspace.run("git", "show", "swift@v1.0.0:metrics/validation.json").stdout
