"""An ensemble by the real DVC: members are stages of their own, and the package predicts the mean of their scores."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from gogooku3.metrics.split_file import table_of
from gogooku3.model.ensemble import combine
from gogooku3.model.weights import first_member, read_tensors
from gogooku3.training.phases import PHASES

from .conftest import SMALL, Workspace

ENSEMBLE = {"train.scheme": "ensemble", "train.further_seeds": "[2,3]"}
FILES = ("config.json", "history.json", "model.safetensors")
SCORED = ["ensemble@mean", "evaluate", "attribution", "report", "package"]


@pytest.fixture(scope="module")
def ensemble(small_run: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The small run, and an ensemble with two further seeds on it, released as demo@v1.0.0 with a folder as bucket."""
    folder = tmp_path_factory.mktemp("ensemble")
    (folder / "bucket").mkdir()
    workspace = small_run.copy(folder / "gogooku3")
    workspace.run("dvc", "remote", "modify", "--local", "store", "url", str(folder / "bucket"))
    done = workspace.experiment(SMALL | ENSEMBLE)
    trained = [line.split("'")[1] for line in done.stdout.splitlines() if line.startswith("Running stage")]
    assert trained[:2] == ["member@2", "member@3"]
    assert sorted(trained[2:]) == sorted(SCORED)
    workspace.commit("An ensemble")
    workspace.run("gogooku3", "promote", "demo")
    return workspace


def test_by_default_no_member_is_a_stage(small_run: Workspace) -> None:
    names = small_run.run("dvc", "stage", "list", "--name-only").stdout.split()
    assert [name for name in names if "member" in name or "ensemble" in name] == []


@pytest.mark.slow
def test_a_member_is_the_model_that_its_seed_alone_gives(
    ensemble: Workspace, small_run: Workspace, tmp_path: Path
) -> None:
    alone = small_run.copy(tmp_path / "gogooku3")
    alone.compose(SMALL | {"train.recipe.seed": "2"})
    alone.run("dvc", "repro", *(f"train@{phase}" for phase in PHASES))
    for phase in PHASES:
        for name in FILES:
            member = ensemble.folder / f"models/members/2/{phase}/{name}"
            assert member.read_bytes() == (alone.folder / f"models/{phase}/{name}").read_bytes()


@pytest.mark.slow
def test_the_package_predicts_the_mean_of_its_members_to_the_bit(ensemble: Workspace, tmp_path: Path) -> None:
    scored = pl.read_parquet(ensemble.folder / "data/predictions.parquet")
    scales_MP = read_tensors(ensemble.folder / "models/package/model.safetensors")["scales_MP"].numpy()
    for place, horizon in enumerate((1, 5, 10, 20)):
        members = [scored[f"score_{horizon}_seed_{seed}"].to_numpy() for seed in (1, 2, 3)]
        assert scored[f"score_{horizon}"].to_numpy().tobytes() == combine(members, scales_MP[:, place]).tobytes()
    target = tmp_path / "predictions.parquet"
    bounds = [str(scored["Date"].min()), str(scored["Date"].max())]
    said = ensemble.run(
        *("gogooku3", "predict", "models/package", "--dataset", "data/dataset", "--output", str(target)),
        *("--from", bounds[0], "--to", bounds[1]),
    )
    assert "bitwise" in said.stdout + said.stderr
    assert pl.read_parquet(target).equals(scored.select(pl.exclude("^score_.*_seed_.*$")))
    verdict = json.loads(
        ensemble.run("gogooku3", "verify", "models/package", "--dataset", "data/dataset", "--json").stdout
    )
    assert verdict["good"]
    found = {check["name"]: check["found"] for check in verdict["checks"]}
    assert "the model is the one of `models/ensemble`" in found["lock"]


@pytest.mark.slow
def test_card_page_and_metrics_have_each_seed_and_the_spread_over_them(
    ensemble: Workspace, small_run: Workspace
) -> None:
    metrics = table_of(json.loads((ensemble.folder / "metrics/test.json").read_text()))
    assert [member["seed"] for member in metrics["members"]] == [1, 2, 3]
    single = table_of(json.loads((small_run.folder / "metrics/test.json").read_text()))
    first = metrics["members"][0]
    for name in ("mean_rank_ic", "rank_ic", "sharpe"):
        assert first[name] == single[name]
    assert metrics["mean_rank_ic"] != single["mean_rank_ic"]
    card = (ensemble.folder / "models/package/README.md").read_text()
    assert "an ensemble of 3 members with the seeds 1, 2 and 3" in card
    page = (ensemble.folder / "reports/tier.html").read_text()
    for text in (card, page):
        assert "seed 3" in text
        assert "mean ± standard deviation" in text
        assert "One seed" not in text
    for text in ((small_run.folder / name).read_text() for name in ("models/package/README.md", "reports/tier.html")):
        assert "One seed: how much these results depend on it is not measured" in text
    phases = json.loads((ensemble.folder / "metrics/attribution.json").read_text())["phases"]
    assert [member["seed"] for member in phases["test"]["gat"]["seeds"]] == [1, 2, 3]


@pytest.mark.slow
def test_another_seed_trains_one_more_member(ensemble: Workspace, tmp_path: Path) -> None:
    workspace = ensemble.copy(tmp_path / "gogooku3")
    workspace.compose(SMALL | ENSEMBLE | {"train.further_seeds": "[2,3,4]"})
    assert workspace.planned() == ["member@4", *SCORED]
    workspace.compose(SMALL | ENSEMBLE | {"train.further_seeds": "[3]"})
    assert workspace.planned() == SCORED
    workspace.compose(SMALL)
    assert workspace.planned() == SCORED[1:]


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["baseline", "gat"])
def test_a_killed_member_goes_on_and_ends_with_the_same_bytes(ensemble: Workspace, tmp_path: Path, phase: str) -> None:
    workspace = ensemble.copy(tmp_path / "gogooku3")
    for name in (".dvc/cache", "models/members"):
        shutil.rmtree(workspace.folder / name)
    states = workspace.folder / f"models/members/.2.phases.partial/.{phase}.partial"
    workspace.kill_when_saved(states, "dvc", "repro", "member@2")
    said = workspace.run("dvc", "repro", "member@2").stderr
    assert "resuming from epoch" in said
    assert ("phase baseline" in said) is (phase == "baseline")  # what was finished is not trained again
    assert [path.name for path in (workspace.folder / "models/members").iterdir()] == ["2"]
    assert workspace.bytes_of("models/members/2") == ensemble.bytes_of("models/members/2")


@pytest.mark.slow
def test_training_goes_on_from_the_first_member_of_a_released_ensemble(ensemble: Workspace, tmp_path: Path) -> None:
    workspace = ensemble.copy(tmp_path / "gogooku3")
    workspace.compose(SMALL | {"train.start_from": "demo@v1.0.0"})
    workspace.run("dvc", "repro", "parent")
    released = read_tensors(workspace.folder / "models/package/model.safetensors")
    started = read_tensors(workspace.folder / "models/parent/model.safetensors")
    assert {name: tensor.tolist() for name, tensor in started.items()} == {
        name: tensor.tolist() for name, tensor in first_member(released).items()
    }


@pytest.mark.slow
def test_a_walk_forward_trains_the_ensemble_in_every_fold(ensemble: Workspace, tmp_path: Path) -> None:
    workspace = ensemble.copy(tmp_path / "gogooku3")
    walk = {"evaluation.scheme": "walk_forward", "evaluation.walk_forward.folds": "[1]"}
    workspace.compose(SMALL | ENSEMBLE | walk | {"evaluation.walk_forward.test": "30"})
    workspace.run("dvc", "repro", "fold@1")
    tensors = read_tensors(workspace.folder / "models/folds/1/model.safetensors")
    assert {name.split(".")[1] for name in tensors if name.startswith("members.")} == {"0", "1", "2"}
    history = workspace.folder / "models/folds/1/history"
    assert {path.stem for path in (history / "seed_3").iterdir()} == {*PHASES}
    assert (history / "seed_3/gat.json").read_bytes() != (history / "gat.json").read_bytes()


@pytest.mark.slow
def test_an_edited_score_of_a_member_is_found_before_a_release(ensemble: Workspace, tmp_path: Path) -> None:
    workspace = ensemble.copy(tmp_path / "gogooku3")
    path = workspace.folder / "metrics/test.json"
    metrics = json.loads(path.read_text())
    table_of(metrics)["members"][1]["sharpe"]["value"] += 1.0
    path.write_text(json.dumps(metrics, indent=2) + "\n")
    workspace.run("dvc", "commit", "--force", "evaluate")
    workspace.run("dvc", "repro", "report", "package")
    workspace.commit("An edited Sharpe ratio")
    done = workspace.run("gogooku3", "promote", "demo", "--no-push", check=False)
    assert done.returncode != 0
    assert "`metrics/test.json` is not what `data/predictions.parquet` and the targets give" in done.stderr
