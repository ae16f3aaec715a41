"""Searches with real DVC and real experiments, and with real kills."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from gogooku3.config import Params

from .conftest import Toy, begun, kill_trials, wait

SIZES = {
    "model.backbone.hidden_size": {"choices": [8, 16, 32, 64]},
    "model.backbone.dropout": {"low": 0.0, "high": 0.4},
}


def state(toy: Toy) -> tuple[str, ...]:
    """State of the user's clone: HEAD, index, files, stashes."""
    asked = (("symbolic-ref", "HEAD"), ("rev-parse", "HEAD"), ("diff",), ("diff", "--cached"), ("stash", "list"))
    return (*(toy.run("git", *each).stdout for each in asked), toy.run("git", "status", "--porcelain").stdout)


@pytest.mark.slow
def test_trials_are_experiments_that_leave_the_working_tree_alone_and_are_counted(toy: Toy, demo: Params) -> None:
    (toy.folder / "README.md").write_text("not committed\n")
    toy.space(SIZES, trials=2)
    before = state(toy)
    found = toy.search()
    assert state(toy) == before
    assert [trial["experiment"] for trial in found["trials"]] == ["space-0", "space-1"]
    committed = {f"model.backbone.{name}": getattr(demo.model.backbone, name) for name in ("hidden_size", "dropout")}
    assert found["trials"][0]["parameters"] == committed
    for trial in found["trials"]:
        size, dropout = trial["parameters"].values()
        value = size / 1000 - dropout**2 - 0.01
        assert trial["value"] == pytest.approx({"value": value, "low": value - 0.01, "high": value + 0.01})
    assert found["best"] == max(found["trials"], key=lambda trial: trial["value"]["value"])
    assert found["results"] == 2, "trial 0 has the result of the commit itself"
    assert 0 < found["deflated_sharpe"] < 1
    assert toy.ran == ["data", "train", "train"], "neither the data nor the committed values were run again"
    shown = toy.run("gogooku3", "search", "space.yaml").stdout
    assert f"best: {found['best']['experiment']}, mean_rank_ic" in shown
    assert toy.ran == ["data", "train", "train"]

    applied = found["trials"][1]
    toy.run("dvc", "exp", "apply", applied["experiment"])
    assert json.loads((toy.folder / "metrics/validation.json").read_text())["mean_rank_ic"] == applied["value"]
    assert f"dropout: {applied['parameters']['model.backbone.dropout']}" in (toy.folder / "params.yaml").read_text()
    assert json.loads((toy.folder / "model.txt").read_text())["backbone"]["dropout"] == pytest.approx(
        applied["parameters"]["model.backbone.dropout"]
    )


@pytest.mark.slow
def test_a_wrong_configuration_ends_it_before_the_first_trial(toy: Toy) -> None:
    toy.space({"model.backbone.hidden_size": {"choices": [8, 9]}})
    assert "a trial could have `model.backbone.hidden_size` 9: " in toy.refused(code=2)
    toy.space(SIZES, tiers=["tier1"])
    assert "for tier1 (`tiers`), but the committed `params.yaml` is of demo\nhint: switch" in toy.refused(code=2)
    assert not (toy.folder / "logs").exists()
    toy.space(SIZES)
    (toy.folder / "src/more.txt").write_text("forgotten\n")
    assert "without uncommitted changes: ?? src/more.txt" in toy.refused(code=1)
    (toy.folder / "src/more.txt").unlink()
    shallow = toy.folder / ".git/shallow"
    shallow.write_text(toy.run("git", "rev-parse", "HEAD").stdout)
    assert "this is a shallow clone" in toy.refused(code=1)
    shallow.unlink()
    assert "cannot be part of an experiment's name" in toy.refused("--study", "a~b", code=2)
    assert toy.ran == ["data", "train"]


@pytest.mark.slow
def test_data_that_were_added_and_not_committed_are_refused(toy: Toy) -> None:
    """A trial would silently use the data of the commit."""
    bars = toy.folder / "data/raw/bars.csv"
    bars.parent.mkdir(parents=True)
    toy.space(SIZES)
    bars.write_text("old\n")
    toy.run("dvc", "add", "--quiet", str(bars))
    stderr = toy.refused(code=1)
    assert "without uncommitted changes: ?? data/raw/bars.csv.dvc\nhint: commit them" in stderr
    toy.run("git", "add", "--all")
    toy.run("git", "commit", "--quiet", "--message", "Old bars")
    bars.write_text("new\n")
    toy.run("dvc", "add", "--quiet", str(bars))
    stderr = toy.refused(code=1)
    assert "without uncommitted changes: M data/raw/bars.csv.dvc\nhint: commit them" in stderr
    assert not (toy.folder / "logs").exists()


@pytest.mark.slow
def test_a_failed_trial_is_reported_with_its_reason_and_the_search_continues(toy: Toy) -> None:
    """A loss that diverges (6), a crash (7), a bug (1000), a metric that is undefined (5)."""
    toy.space({"train.recipe.seed": {"choices": [6, 7, 1000, 5, 2]}}, trials=25)
    found = toy.search()
    reasons = {trial["parameters"]["train.recipe.seed"]: trial["reason"] for trial in found["trials"]}
    assert reasons == {
        6: "train: the loss is not finite at step 3",
        7: "train: killed by SIGABRT",
        1000: "train: failed with exit code 1: MemoryError: the model is too large",
        5: "its mean_rank_ic on validation is undefined",
        2: None,
    }
    assert {trial["state"] for trial in found["trials"]} == {"failed", "complete"}
    assert found["best"]["parameters"] == {"train.recipe.seed": 2}
    assert toy.ran.count("train") == 6, "what was tried is not tried again, whatever came of it"
    toy.space({"train.recipe.seed": {"choices": [6]}}, trials=1)
    assert (
        "no trial of only succeeded"
        in toy.run("gogooku3", "search", "space.yaml", "--study", "only", check=False).stdout
    )


@pytest.mark.slow
def test_a_machine_error_ends_the_search_and_the_same_command_resumes(toy: Toy) -> None:
    toy.space({"train.recipe.seed": {"choices": [4]}, **SIZES}, trials=2)
    assert "error: train: there is no GPU\nhint: buy one" in toy.refused(code=4)
    (toy.folder.parent / "gpu").touch()
    assert [trial["state"] for trial in toy.search()["trials"]] == ["complete", "complete"]


@pytest.mark.slow
def test_the_study_is_filled_again_from_the_experiments(toy: Toy) -> None:
    toy.space(SIZES)
    found = toy.search()
    ran = toy.ran
    shutil.rmtree(toy.folder / "logs")
    assert toy.search() == found
    assert toy.ran == ran
    more = toy.search("--trials", "4")
    assert more["trials"][:3] == found["trials"]
    assert len(more["trials"]) == 4

    toy.run("dvc", "exp", "remove", found["best"]["experiment"])
    without = toy.search("--trials", "4")
    assert without["trials"][found["best"]["number"]]["state"] == "removed"
    assert without["best"] != found["best"]
    assert without["results"] == more["results"] - 1

    shutil.rmtree(toy.folder / "logs")
    toy.space({"model.backbone.hidden_size": {"choices": [128]}})
    assert "exists with `model.backbone.hidden_size`" in toy.refused(code=2)


@pytest.mark.slow
def test_another_commit_is_another_search_and_two_at_once_are_refused(toy: Toy) -> None:
    toy.space(SIZES, trials=2)
    toy.search()
    toy.run("git", "commit", "--quiet", "--allow-empty", "--message", "Another commit")
    found = toy.search()
    assert [trial["state"] for trial in found["trials"]] == ["complete", "complete"]
    experiments = toy.run("git", "for-each-ref", "--format=%(refname)", "refs/exps").stdout.split()
    assert len([name for name in experiments if name.endswith(("space-0", "space-1"))]) == 4

    with started(toy, "--trials", "3", seconds=3600) as victim:
        wait(lambda: (toy.folder / "logs/search/space/space-2.log").exists(), victim)
        assert "the search `space` is already running (process" in toy.refused("--trials", "3", code=1)
        victim.kill()
    kill_trials(toy.folder)


def started(toy: Toy, *options: str, seconds: float = 0.0) -> subprocess.Popen[str]:
    environment = toy.environment | {"SECONDS": str(seconds)}
    return begun(toy.folder, environment, "gogooku3", "search", "space.yaml", "--json", *options)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_reports_finished_trials_and_how_to_resume(toy: Toy, number: signal.Signals) -> None:
    toy.space(SIZES)
    toy.search("--trials", "1")
    ran = toy.ran.count("train")
    with started(toy, seconds=3600) as victim:
        wait(lambda: toy.asleep(ran), victim)
        os.kill(victim.pid, number)
        _, stderr = victim.communicate(timeout=600)
    assert victim.returncode == 130, stderr
    by = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
    assert f"error: stopped by {by}: 1 of 3 trials are done\nhint: `gogooku3 search space.yaml` resumes" in stderr
    assert [trial["state"] for trial in toy.search()["trials"]] == ["complete"] * 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "command", "code", "message"),
    [
        (signal.SIGKILL, "python stage.py train", 4, "killed by SIGKILL, perhaps out of memory"),
        (signal.SIGKILL, "true && python stage.py train && true", 4, "killed by SIGKILL, perhaps out of memory"),
        (signal.SIGTERM, "python stage.py train", 130, "killed by SIGTERM"),
        (signal.SIGINT, "python stage.py train", 130, "stopped by Ctrl-C"),
    ],
)
def test_a_trial_whose_stage_is_killed_runs_again_when_the_search_resumes(
    toy: Toy, tmp_path: Path, number: signal.Signals, command: str, code: int, message: str
) -> None:
    """The shell is replaced by the stage, or waits for it: DVC then reports -9 or 137."""
    pipeline = (toy.folder / "dvc.yaml").read_text()
    (toy.folder / "dvc.yaml").write_text(pipeline.replace("cmd: python stage.py train", f"cmd: {command}"))
    toy.run("dvc", "repro", "--quiet")
    toy.run("git", "commit", "--quiet", "--all", "--allow-empty", "--message", "A command")
    toy.space(SIZES, trials=2)
    whole = toy.copy(tmp_path / "undisturbed/toy").search()
    ran = toy.ran.count("train")
    with started(toy, seconds=3600) as search:
        wait(lambda: toy.asleep(ran), search)
        os.kill(toy.pid, number)
        _, stderr = search.communicate(timeout=600)
    assert search.returncode == code, stderr
    assert f"error: train: {message}" in stderr
    assert "\nhint: the same command resumes" in stderr
    found = toy.search()
    assert toy.ran.count("train") == ran + 2, "the one that was killed, and the same again"
    assert found["trials"] == whole["trials"]
    assert found["best"] == whole["best"]


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_trials_of_an_undisturbed_search(toy: Toy, tmp_path: Path) -> None:
    """Killed alone, which leaves a trial running, and with all its children; the user's files stay unchanged."""
    (toy.folder / "README.md").write_text("not committed\n")
    toy.space(SIZES)
    whole = toy.copy(tmp_path / "undisturbed/toy").search()
    before, draw, kills = state(toy), random.Random(0), 0
    while kills < 6:
        ran = len(toy.ran)
        with started(toy) as victim:
            # A random time after the start, or after the first stage that runs.
            while kills % 2 and len(toy.ran) == ran and victim.poll() is None:
                time.sleep(0.01)
            time.sleep(draw.random())
            if victim.poll() is not None:
                break
            victim.kill()
        if draw.random() < 0.5:
            kill_trials(toy.folder)
        kills += 1
        assert state(toy) == before
    found = toy.search()
    assert found["trials"] == whole["trials"]
    assert found["best"] == whole["best"]
    assert state(toy) == before
    assert kills >= 2
