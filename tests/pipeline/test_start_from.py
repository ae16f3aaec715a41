"""An experiment that starts from a released model (fine-tuning), through the real DVC, with its lineage recorded."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gogooku3.model.weights import read_tensors

from .conftest import SMALL, Workspace, bring_back

TAG = "demo@v1.0.0"
TUNE = SMALL | {
    "train.start_from": TAG,
    "train.phases.baseline.epochs": "0",
    "train.phases.adaptive_norm.epochs": "0",
    "train.phases.gat.epochs": "0",
    "train.phases.finetune.epochs": "1",
}


def settings(parameters: dict[str, str]) -> list[str]:
    return [argument for key, value in parameters.items() for argument in ("-S", f"{key}={value}")]


def same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.fixture(scope="module")
def released(small_run: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The small run, released as demo@v1.0.0 with a folder as its bucket."""
    folder = tmp_path_factory.mktemp("released")
    (folder / "bucket").mkdir()
    workspace = small_run.copy(folder / "gogooku3")
    workspace.run("dvc", "remote", "modify", "--local", "store", "url", str(folder / "bucket"))
    workspace.run("gogooku3", "promote", "demo")
    return workspace


@pytest.fixture(scope="module")
def tuned(released: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """An experiment that trains only the last phase, run in a temporary folder and then applied."""
    workspace = released.copy(tmp_path_factory.mktemp("tuned") / "gogooku3")
    workspace.run("dvc", "exp", "run", "--temp", "--name", "tuned", *settings(TUNE))
    workspace.run("dvc", "exp", "apply", "tuned")
    workspace.commit("A tuned model")
    return workspace


@pytest.mark.slow
def test_an_experiment_in_a_folder_without_tags_finds_the_release(released: Workspace, tuned: Workspace) -> None:
    weights = (released.folder / "models/finetune/model.safetensors").read_bytes()
    assert (tuned.folder / "models/parent/model.safetensors").read_bytes() == weights
    assert json.loads((tuned.folder / "models/package/lineage.json").read_text()) == {
        "start_from": {
            "tag": TAG,
            "commit": released.run("git", "rev-parse", "HEAD").stdout.strip(),
            "model_sha256": hashlib.sha256(weights).hexdigest(),
        }
    }


@pytest.mark.slow
def test_phases_without_epochs_hand_on_weights_and_moments_to_the_bit(released: Workspace, tuned: Workspace) -> None:
    for kind in ("model", "state"):
        ended = read_tensors(released.folder / f"models/finetune/{kind}.safetensors")
        assert same(read_tensors(tuned.folder / f"models/gat/{kind}.safetensors"), ended)
        assert not same(read_tensors(tuned.folder / f"models/finetune/{kind}.safetensors"), ended)


@pytest.mark.slow
def test_the_card_names_the_release(tuned: Workspace, small_run: Workspace) -> None:
    card = (tuned.folder / "models/package/README.md").read_text()
    assert f"Started from `{TAG}`" in card
    assert hashlib.sha256((tuned.folder / "models/parent/model.safetensors").read_bytes()).hexdigest() in card
    assert "Trained from scratch." in (small_run.folder / "models/package/README.md").read_text()


@pytest.mark.slow
def test_the_package_verifies_and_the_plots_are_drawn(tuned: Workspace, tmp_path: Path) -> None:
    assert tuned.changes() == ""
    tuned.run("gogooku3", "verify", "models/package")
    tuned.run("dvc", "plots", "show", "--out", str(tmp_path))
    page = (tmp_path / "index.html").read_text()
    assert "Learning, phase by phase" in page
    assert "finetune.csv" in page
    assert json.loads((tuned.folder / "models/gat/history.json").read_text())["best_epoch"] is None


@pytest.mark.slow
def test_diff_shows_from_what_training_started(tuned: Workspace) -> None:
    changes = json.loads(tuned.run("gogooku3", "diff", TAG, "--json").stdout)["parameters"]
    assert {"name": "train.start_from", "old": "scratch", "new": TAG} in changes


@pytest.mark.slow
def test_a_network_of_other_parameters_is_refused_before_any_training(tuned: Workspace, tmp_path: Path) -> None:
    workspace = tuned.copy(tmp_path / "gogooku3")
    before = workspace.bytes_of("models", "plots")
    workspace.compose(TUNE | {"model.graph.heads": "4", "model.backbone.dropout": "0.1"})
    done = workspace.run("python", "src/gogooku3", "stages", "train", "baseline", check=False)
    assert done.returncode == 5
    assert f"`model.graph.heads` is 4, `{TAG}` has 2\nhint: use its values (`-S model.graph.heads=2`)" in done.stderr
    assert "dropout" not in done.stderr
    assert workspace.bytes_of("models", "plots") == before


@pytest.mark.slow
def test_a_release_that_does_not_exist_is_refused_and_the_models_come_back(tuned: Workspace, tmp_path: Path) -> None:
    workspace = tuned.copy(tmp_path / "gogooku3")
    before = workspace.bytes_of("models")
    workspace.compose(TUNE | {"train.start_from": "demo@v2.0.0"})
    done = workspace.run("dvc", "repro", check=False)
    assert f"error: `demo@v2.0.0` was never released\nhint: name one of the versions of `demo`: {TAG}" in done.stderr
    assert "Traceback" not in done.stderr
    assert bring_back(workspace, done) == ["dvc checkout"]
    assert workspace.bytes_of("models") == before


@pytest.mark.slow
def test_a_queued_experiment_finds_the_release(released: Workspace, tmp_path: Path, tuned: Workspace) -> None:
    workspace = released.copy(tmp_path / "gogooku3")
    workspace.run("dvc", "exp", "run", "--queue", "--name", "queued", *settings(TUNE))
    workspace.run("dvc", "exp", "run", "--run-all")
    workspace.run("dvc", "exp", "apply", "queued")
    assert (workspace.folder / "dvc.lock").read_bytes() == (tuned.folder / "dvc.lock").read_bytes()


@pytest.mark.slow
def test_the_same_parent_gives_the_same_bytes_and_another_one_trains_anew(tuned: Workspace, tmp_path: Path) -> None:
    workspace = tuned.copy(tmp_path / "gogooku3")
    workspace.run("dvc", "repro", "--force", "--no-run-cache")
    assert workspace.changes() == ""
    workspace.run("gogooku3", "promote", "demo", "--despite-worse", "for the test", "--version", "v1.1.0")
    listed = json.loads(workspace.run("gogooku3", "tiers", "--json").stdout)
    assert [row["record"]["parent"] and row["record"]["parent"]["tag"] for row in listed] == [None, TAG]
    output = workspace.experiment(TUNE | {"train.start_from": "demo@v1.1.0"}).stdout
    ran = [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]
    assert ran[:3] == ["parent", "train@baseline", "train@adaptive_norm"]
    other = read_tensors(workspace.folder / "models/finetune/model.safetensors")
    assert not same(other, read_tensors(tuned.folder / "models/finetune/model.safetensors"))


@pytest.mark.slow
def test_every_phase_can_train_on_from_a_release(released: Workspace, tmp_path: Path) -> None:
    workspace = released.copy(tmp_path / "gogooku3")
    workspace.experiment(SMALL | {"train.start_from": TAG})
    for phase, blocks in (("adaptive_norm", "adaptive_norm"), ("gat", "graph")):
        history = json.loads((workspace.folder / f"models/{phase}/history.json").read_text())
        assert history["epochs"], phase
        gates = [
            tensor
            for name, tensor in read_tensors(workspace.folder / f"models/{phase}/model.safetensors").items()
            if name.startswith(blocks) and name.endswith(("gate_H", "removed_H"))
        ]
        assert all(gate.any() for gate in gates)
