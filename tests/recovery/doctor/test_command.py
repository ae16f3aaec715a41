"""The command `gogooku3 doctor`: tasks, exit codes, output."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gogooku3.cli import main
from gogooku3.recovery.checks.verdict import Finding
from gogooku3.recovery.doctor import examination
from gogooku3.recovery.doctor.tasks import TASKS

from ..conftest import Toy
from .conftest import ROOT, SECRET, remote


def doctor(toy: Toy, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gogooku3.cli", "doctor", "--json"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")} | variables
    return subprocess.run(command, cwd=toy.folder, env=environment, capture_output=True, text=True, check=False)


def failing(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Replaces all checks: the named ones fail, the others pass."""
    outcomes = {name: Finding("failed", "broken", "repair it") for name in names}
    checks = {
        name: ((lambda _root, name=name: outcomes.get(name, Finding("passed", "well"))), tasks)
        for name, (_, tasks) in examination._CHECKS.items()
    }
    monkeypatch.setattr(examination, "_CHECKS", checks)
    monkeypatch.setattr(examination, "reachable", checks["remote"][0])


def test_an_intact_clone_is_fit_and_old_environment_variables_are_reported_as_ignored(clone: Toy) -> None:
    done = doctor(clone, SHARPE_WEIGHT=SECRET)
    report = json.loads(done.stdout)
    checks = {check["name"]: check for check in report["checks"]}
    assert (done.returncode, report["good"], done.stderr) == (0, True, ""), done.stdout
    assert report["tasks"] == [{"task": task, "fit": True, "failed": []} for task in TASKS]
    assert {"failed"}.isdisjoint(check["outcome"] for check in report["checks"])
    assert checks["remote"]["outcome"] == "passed"
    assert "numerics.device` is cpu" in checks["device"]["found"]
    assert checks["variables"]["outcome"] == "noted"
    assert "SHARPE_WEIGHT" in checks["variables"]["found"]
    assert SECRET not in done.stdout


@pytest.mark.slow
def test_an_unreachable_bucket_is_reported_in_one_line_and_does_not_block_training(clone: Toy) -> None:
    remote(clone, url="gs://gone/store", endpointurl="http://127.0.0.1:9", allow_anonymous_login="true")
    done = doctor(clone)
    report = json.loads(done.stdout)
    assert (done.returncode, report["good"], done.stderr) == (0, True, "")
    assert [(each["fit"], each["failed"]) for each in report["tasks"]] == [(True, [])] * 2 + [(False, ["remote"])] * 2
    failed = [check for check in report["checks"] if check["outcome"] == "failed"]
    assert [check["name"] for check in failed] == ["remote"]
    assert "gs://gone/store: no connection to its host" in failed[0]["found"]
    assert "\n" not in failed[0]["found"]
    assert "check the network" in failed[0]["hint"]


@pytest.mark.parametrize(
    ("name", "unfit"),
    [
        ("git", ["train", "release", "recover"]),
        ("libraries", ["train", "predict", "release", "recover"]),
        ("source", ["train", "release"]),
        ("secrets", ["release"]),
        ("disk", ["train", "recover"]),
        ("device", ["train", "predict"]),
        ("probe", ["train"]),
        ("leftovers", []),
        ("best", []),
    ],
)
def test_a_failed_check_blocks_the_tasks_that_need_it(
    clone: Toy, monkeypatch: pytest.MonkeyPatch, name: str, unfit: list[str]
) -> None:
    failing(monkeypatch, name)
    found = examination.examine(clone.folder, [])
    assert [each.task for each in found.fitness if not each.fit] == unfit
    assert {check.name for each in found.fitness for check in each.failed} == ({name} if unfit else set())


def test_the_playbook_lists_the_checks_that_each_task_needs() -> None:
    text = (ROOT / "docs/playbook.md").read_text(encoding="utf-8")
    rows = {task: re.search(rf"^\| {task} \| .* \| (.*) \|$", text, re.MULTILINE) for task in TASKS}
    needed = {task: {name for name, (_, tasks) in examination._CHECKS.items() if task in tasks} for task in TASKS}
    assert {task: set(row[1].split(", ")) for task, row in rows.items() if row} == needed


@pytest.mark.parametrize(
    ("tasks", "code"),
    [((), 0), (("train",), 0), (("release",), 1), (("predict", "recover"), 1), (("train", "predict"), 0)],
)
def test_the_selected_tasks_determine_the_exit_code(
    clone: Toy, monkeypatch: pytest.MonkeyPatch, tasks: tuple[str, ...], code: int
) -> None:
    failing(monkeypatch, "remote")
    monkeypatch.chdir(clone.folder)
    options = [word for task in tasks for word in ("--for", task)]
    done = CliRunner().invoke(main, ["doctor", *options])
    assert done.exit_code == code
    assert done.output.splitlines()[-4:] == [
        "fit to train:   yes",
        "fit to predict: yes",
        "fit to release: no (remote: broken)",
        "fit to recover: no (remote: broken)",
    ]
    report = json.loads(CliRunner().invoke(main, ["doctor", "--json", *options]).output)
    assert report["good"] == (code == 0)


def test_a_check_that_raises_does_not_hide_other_checks(clone: Toy) -> None:
    (clone.folder / "pyproject.toml").unlink()
    (clone.folder / "params.yaml").write_text("{")
    done = doctor(clone)
    checks = {check["name"]: check["outcome"] for check in json.loads(done.stdout)["checks"]}
    assert done.returncode == 1
    assert (checks["python"], checks["device"], checks["libraries"], checks["remote"]) == (
        "failed",
        "failed",
        "passed",
        "passed",
    )


@pytest.mark.slow
def test_an_installed_source_that_differs_from_the_clone_is_reported_with_the_install_command(clone: Toy) -> None:
    own = clone.folder / "src/gogooku3"
    shutil.copytree(ROOT / "src/gogooku3", own)

    def check() -> dict[str, Any]:
        checks = json.loads(doctor(clone).stdout)["checks"]
        return next(check for check in checks if check["name"] == "source")

    found = check()
    assert (found["outcome"], found["found"]) == ("passed", f"`{ROOT / 'src'}` runs, identical to this clone's source")
    (own / "errors.py").write_text("raise SystemExit('the source of the clone was run')\n")
    found = check()
    assert found["outcome"] == "failed"
    assert found["found"] == f"`{ROOT / 'src'}` runs, and differs from this clone's source in gogooku3/errors.py"
    assert found["hint"] == f"`pip install --no-deps -e {clone.folder}`"


def test_outside_a_clone_it_exits_with_a_git_error(tmp_path: Path) -> None:
    done = doctor(Toy(tmp_path))
    assert (done.returncode, done.stdout) == (8, "")
    assert "hint: " in done.stderr
