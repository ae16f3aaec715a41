"""Walk-forward validation by the real DVC: folds are optional stages, and each is trained once."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import polars as pl
import pytest
from yaml import safe_load

from gogooku3.metrics.split_file import table_of

from .conftest import SMALL, Workspace

WALK = {
    "evaluation.walk_forward.test": "30",
    "evaluation.walk_forward.folds": "[1,2]",
}
SCHEME = {"evaluation.scheme": "walk_forward"}
MADE = ("data/folds", "models/folds", "metrics", "plots", "models/package")


def settings(parameters: dict[str, str]) -> list[str]:
    return [argument for key, value in parameters.items() for argument in ("-S", f"{key}={value}")]


def test_the_plan_is_shown_with_dates_before_anything_is_trained(small_run: Workspace) -> None:
    asked = settings(SMALL | WALK)
    said = small_run.run("gogooku3", "folds", *asked).stdout
    folds = json.loads(small_run.run("gogooku3", "folds", "--json", *asked).stdout)
    assert [(fold["fold"], fold["train"]["sessions"], fold["test"]["sessions"]) for fold in folds] == [
        (1, 330, 30),
        (2, 330, 30),
    ]
    for fold in folds:
        for split in ("train", "validation", "test"):
            assert f"{split} {{first}} to {{last}} ({{sessions}})".format(**fold[split]) in said
    assert "rolling training, 20 sessions of embargo" in said
    assert "further folds that fit, not in `evaluation.walk_forward.folds`: 3" in said
    assert small_run.changes() == ""


@pytest.mark.parametrize(
    ("asked", "code", "told"),
    [
        (
            SMALL | WALK | {"evaluation.walk_forward.folds": "[4]"},
            3,
            "fold 4 of `evaluation.walk_forward.folds` has no session",
        ),
        (
            SMALL | {"evaluation.walk_forward.test": "5", "evaluation.walk_forward.folds": "[1]"},
            2,
            "the joined test of folds [1] has 5 sessions and needs 21",
        ),
        ({"evaluation.walk_forward.train": "0"}, 2, "`evaluation.walk_forward.train` is 0"),
        ({"evaluation.scheme": "cross_validation"}, 2, "`conf/` cannot be composed with"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(small_run: Workspace, asked: dict[str, str], code: int, told: str) -> None:
    done = small_run.run("gogooku3", "folds", *settings(asked), check=False)
    assert done.returncode == code
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_by_default_no_fold_is_a_stage(small_run: Workspace) -> None:
    names = small_run.run("dvc", "stage", "list", "--name-only").stdout.split()
    assert [name for name in names if "fold" in name or "walk" in name] == []


@pytest.mark.slow
def test_a_fold_whose_training_sees_its_test_is_refused_before_it_is_trained(workspace: Workspace) -> None:
    """Data leakage: a fold's training ends within a horizon of its validation, by an edited plan."""
    workspace.compose(SMALL | WALK | SCHEME)
    workspace.run(sys.executable, "src/gogooku3", "stages", "plan")
    path = workspace.folder / "data/folds/plan/1.json"
    plan = json.loads(path.read_text())
    known = pl.read_parquet(workspace.folder / "data/dataset/targets", columns=["Date"])["Date"].unique().sort()
    later = known.to_list()[329 + 1]
    path.write_text(json.dumps(plan | {"train": plan["train"] | {"last": str(later)}}))
    done = workspace.run(sys.executable, "src/gogooku3", "stages", "fold", "1", check=False)
    assert done.returncode == 3
    assert "the targets of train over 20 sessions reach 1 sessions into the validation of fold 1" in done.stderr
    assert not (workspace.folder / "models/folds").exists()


@pytest.fixture(scope="module")
def walked(small_run: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The small run, and a walk-forward of two folds on it."""
    workspace = small_run.copy(tmp_path_factory.mktemp("walked") / "gogooku3")
    workspace.experiment(SMALL | WALK | SCHEME)
    workspace.commit("A walk-forward")
    return workspace


@pytest.mark.slow
def test_one_command_trains_the_folds_and_joins_their_tests(
    walked: Workspace, small_run: Workspace, tmp_path: Path
) -> None:
    metrics = table_of(json.loads((walked.folder / "metrics/walk_forward.json").read_text()))
    assert (metrics["sessions"], metrics["gaps"]) == (59, [])
    assert [fold["fold"] for fold in metrics["folds"]] == [1, 2]
    assert metrics["from"] > metrics["folds"][0]["test"]["first"] > metrics["folds"][0]["validation"]["last"]
    assert "fraction" in metrics["oracle"]
    assert [each["name"] for each in metrics["baselines"]][:2] == ["ridge", "lightgbm"]
    sessions = pl.read_csv(walked.folder / "metrics/sessions/walk_forward.csv", try_parse_dates=True)
    assert sessions["Date"].is_unique().all()
    assert sessions.height == 60
    shown = json.loads(walked.run("dvc", "metrics", "show", "--json").stdout)[""]["data"]
    assert shown["metrics/walk_forward.json"]["data"]["sharpe"] == metrics["sharpe"]["value"]
    walked.run("dvc", "plots", "show", "--out", str(tmp_path))
    page = (tmp_path / "index.html").read_text()
    assert "Walk-forward, cumulative return after costs" in page
    card = (walked.folder / "models/package/README.md").read_text()
    assert "### Walk-forward" in card
    assert "| 2 | {first} to {last} |".format(**metrics["folds"][1]["train"]) in card
    preprocess = [(walked.folder / f"models/folds/{fold}/preprocess.json").read_bytes() for fold in (1, 2)]
    assert preprocess[0] != preprocess[1]
    # The model of the default split is unchanged and is the packaged one.
    for name in ("models/package/model.safetensors", "metrics/test.json", "data/predictions.parquet"):
        assert (walked.folder / name).read_bytes() == (small_run.folder / name).read_bytes()
    assert "up to date" in walked.run("dvc", "repro").stdout
    assert walked.changes() == ""


@pytest.mark.slow
def test_without_the_scheme_everything_is_as_before(walked: Workspace, tmp_path: Path) -> None:
    workspace = walked.copy(tmp_path / "gogooku3")
    workspace.compose(SMALL | WALK)
    assert workspace.planned() == ["report", "package"]


@pytest.mark.slow
def test_what_changes_for_one_fold_makes_that_fold_anew_and_no_other(walked: Workspace, tmp_path: Path) -> None:
    workspace = walked.copy(tmp_path / "gogooku3")
    workspace.compose(SMALL | WALK | SCHEME | {"evaluation.walk_forward.expanding": "true"})
    workspace.run("dvc", "repro", "plan@walk_forward")
    assert workspace.planned() == ["fold@2", "fold_baselines@2", "join@walk_forward", "report", "package"]
    workspace.compose(SMALL | WALK | SCHEME | {"evaluation.walk_forward.folds": "[1]"})
    workspace.run("dvc", "repro", "plan@walk_forward")
    assert workspace.planned() == ["join@walk_forward", "report", "package"]


@pytest.mark.slow
def test_what_a_longer_plan_left_behind_changes_nothing(walked: Workspace, tmp_path: Path) -> None:
    workspace = walked.copy(tmp_path / "gogooku3")
    for kind in ("scores", "baselines"):
        folder = workspace.folder / f"data/folds/{kind}"
        shutil.copyfile(folder / "2.parquet", folder / "3.parquet")
    workspace.run("dvc", "repro")
    assert not (workspace.folder / "data/folds/scores/3.parquet").exists()
    assert workspace.changes() == ""


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["baseline", "gat"])
def test_killed_in_a_fold_it_goes_on_and_ends_with_the_same_bytes(
    walked: Workspace, tmp_path: Path, phase: str
) -> None:
    workspace = walked.copy(tmp_path / "gogooku3")
    for name in (".dvc/cache", "models/folds", "data/folds/scores"):
        shutil.rmtree(workspace.folder / name)
    workspace.run("git", "checkout", "--", ".")
    states = workspace.folder / f"models/folds/.1.phases.partial/.{phase}.partial"
    workspace.kill_when_saved(states, "dvc", "repro", "fold@1")
    said = workspace.run("dvc", "repro", "fold@1").stderr
    assert "resuming from epoch" in said
    assert ("phase baseline" in said) is (phase == "baseline")  # what was finished is not trained again
    assert [path.name for path in (workspace.folder / "models/folds").iterdir()] == ["1"]
    workspace.run("dvc", "repro")
    assert (workspace.folder / "dvc.lock").read_bytes() == (walked.folder / "dvc.lock").read_bytes()
    assert workspace.changes() == ""


@pytest.mark.slow
def test_machines_share_the_folds_by_the_run_cache(walked: Workspace, small_run: Workspace, tmp_path: Path) -> None:
    one, two = small_run.copy(tmp_path / "one"), small_run.copy(tmp_path / "two")
    for machine, fold in ((one, 1), (two, 2)):
        url = f"['remote \"store\"']\n    url = {tmp_path / 'bucket'}\n"
        (machine.folder / ".dvc/config.local").write_text(url)
        machine.compose(SMALL | WALK | SCHEME)
        machine.run("dvc", "repro", f"fold@{fold}", f"fold_baselines@{fold}")
    one.run("dvc", "push", "--run-cache")
    said = two.run("dvc", "repro", "--pull").stdout
    assert "Stage 'fold@1' is cached - skipping run" in said
    assert "Stage 'fold_baselines@1' is cached - skipping run" in said
    assert "Running stage 'join@walk_forward'" in said
    assert two.bytes_of(*MADE) == walked.bytes_of(*MADE)
    # Stages are in the lock file in the order in which they were first run.
    locks = [safe_load((workspace.folder / "dvc.lock").read_text()) for workspace in (two, walked)]
    assert locks[0] == locks[1]
