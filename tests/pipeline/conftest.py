"""Fixtures: a separate repository with the project's files, in which the real DVC runs the pipeline at a small size."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.hydra import compose_and_dump

ROOT = Path(__file__).parents[2]
RECORDER = Path(__file__).parent / "recorder"
"""First on `PYTHONPATH`, it records what stages read (`recording.py`)."""

SMALL = {
    "quotes.stocks": "30",
    "quotes.start": "2021-01-04",
    "quotes.end": "2022-11-30",
    "dataset.graph.window": "40",
    "dataset.graph.refresh": "10",
    "dataset.split.train_from": "2021-01-04",
    "dataset.split.validation_from": "2022-07-15",
    "dataset.split.test_from": "2022-09-30",
    "model.backbone.window": "8",
    "train.recipe.batch_size": "480",
    "train.recipe.batch_stocks": "30",
    "train.phases.baseline.epochs": "1",
    "train.phases.baseline.learning_rate": "0.0001",
    "train.phases.adaptive_norm.epochs": "1",
    "train.phases.adaptive_norm.learning_rate": "0.0001",
    "train.phases.gat.epochs": "1",
    "train.phases.gat.learning_rate": "0.0001",
    "train.phases.gat.older": "1.0",
    "train.phases.finetune.epochs": "1",
    "train.phases.finetune.learning_rate": "0.0002",
    "evaluation.bootstrap.draws": "200",
    "evaluation.walk_forward.train": "330",
    "evaluation.walk_forward.validation": "30",
    "evaluation.walk_forward.test": "16",
    "evaluation.walk_forward.folds": "[1,2,3]",
}


class Workspace:
    """A Git and DVC repository in a folder, and commands run in it as a user would run them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(
        self, *command: str, check: bool = True, before: tuple[str, ...] = (), **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command with this folder's own code; `before` is a prefix such as `taskset -c 0`."""
        environment = self.environment | variables
        done = subprocess.run(
            [*before, *command], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
        return done

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a process that runs this folder's own code."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return os.environ | {"PATH": path, "PYTHONPATH": str(self.folder / "src")}

    def experiment(
        self, parameters: dict[str, str], *, check: bool = True, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """`dvc exp run -S …`: composes the parameters and reproduces them."""
        settings = [argument for key, value in parameters.items() for argument in ("-S", f"{key}={value}")]
        return self.run("dvc", "exp", "run", *settings, check=check, **variables)

    def compose(self, parameters: dict[str, str]) -> None:
        """Writes `params.yaml` as `dvc exp run -S …` would, and runs nothing."""
        settings = [f"{key}={value}" for key, value in parameters.items()]
        target, conf = self.folder / "params.yaml", self.folder / "conf"
        compose_and_dump(target, str(conf), None, "config", str(self.folder), settings)

    def kill_when_saved(self, states: Path, *command: str) -> None:
        """Runs a command, and kills it with all that it started once there is a checkpoint in a folder."""
        with subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as victim:
            while not list(states.glob("0*")):
                assert victim.poll() is None, victim.communicate()
                time.sleep(0.02)
            os.killpg(victim.pid, signal.SIGKILL)
            victim.communicate()

    def recording(self, records: Path) -> dict[str, str]:
        """The variables with which each stage notes in a new folder what it reads."""
        records.mkdir()
        return {"RECORD": str(records), "PYTHONPATH": f"{RECORDER}{os.pathsep}{self.folder / 'src'}"}

    def commit(self, message: str) -> None:
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)

    def changes(self) -> str:
        """The lines of `git status`."""
        return self.run("git", "status", "--porcelain").stdout

    def planned(self) -> list[str]:
        """The stages that `dvc repro` would run."""
        output = self.run("dvc", "repro", "--dry").stdout
        return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]

    def bytes_of(self, *folders: str) -> dict[str, bytes]:
        """The bytes of every file under some folders, by path, without the panel, which records read times."""
        paths = [
            path
            for folder in folders
            for path in (self.folder / folder).rglob("*")
            if path.is_file() and not any(part.endswith(".panel") for part in path.parts)
        ]
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in sorted(paths)}

    def copy(self, target: Path) -> Workspace:
        shutil.copytree(self.folder, target, symlinks=True)
        return Workspace(target)


def bring_back(workspace: Workspace, done: subprocess.CompletedProcess[str]) -> list[str]:
    """Runs the commands in an error's hint as printed; returns their first two words."""
    lines = done.stderr.splitlines()
    begin = next(row for row, line in enumerate(lines) if line.startswith("DVC removed the outputs of the last run of"))
    commands = []
    for line in lines[begin + 1 :]:
        if not line.startswith("  "):
            break
        commands.append(shlex.split(line, comments=True))
    for command in commands:
        workspace.run(*command)
    return [" ".join(command[:2]) for command in commands]


def checkout(target: Path) -> Workspace:
    """The project's current files in a new repository, without any outputs."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)
    # `dvc exp run` first looks for the recorded outputs, in the bucket too.
    (target / ".dvc/config.local").write_text(f"['remote \"store\"']\n    url = {target.parent / 'bucket'}\n")
    workspace = Workspace(target)
    workspace.run("git", "init", "--quiet")
    workspace.run("git", "config", "user.name", "Test")
    workspace.run("git", "config", "user.email", "test@example.com")
    workspace.commit("The project")
    return workspace


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Workspace:
    """The pipeline run once at a small size, committed. Tests that change something take a copy.

    With several test processes one runs it, and the others wait.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "small/gogooku3"
    done = folder.parent / "done"
    folder.parent.mkdir(exist_ok=True)
    with (folder.parent / "lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not done.exists():
            records = folder.parent / "reads"
            for made in (folder, records):
                shutil.rmtree(made, ignore_errors=True)
            workspace = checkout(folder)
            workspace.experiment(SMALL, **workspace.recording(records))
            workspace.commit("A small experiment")
            done.touch()
    return Workspace(folder)


@pytest.fixture
def workspace(small_run: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the small run, to be changed."""
    return small_run.copy(tmp_path / "gogooku3")


@pytest.fixture
def fresh(tmp_path: Path) -> Callable[[], Workspace]:
    """The project's files in a repository before the first run."""
    return lambda: checkout(tmp_path / "gogooku3")


def exactness(report: Path, *groups: str, kills: int = 0) -> dict[str, dict[str, Any]]:
    """Rows of some groups of the exactness matrix, by name (`benchmarks/exactness.py`)."""
    command = [sys.executable, str(ROOT / "benchmarks/exactness.py"), "--only", *groups]
    done = subprocess.run(
        [*command, "--kills", str(kills), "--json", str(report)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {row["row"]: row for row in json.loads(report.read_text())["rows"]}
