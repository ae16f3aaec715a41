"""A toy repository: real Git, real DVC and the project's own parameters, with fast stages."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from gogooku3.search.trial import MARK

ROOT = Path(__file__).parents[2]

PIPELINE = """
stages:
  data:
    cmd: python stage.py data
    params: [quotes.seed]
    deps: [stage.py, src/inputs.txt]
    outs: [data.txt: {persist: true}]
  train:
    cmd: python stage.py train
    params: [train, model]
    deps: [stage.py, data.txt]
    outs: [model.txt: {persist: true}]
    metrics: [metrics/validation.json: {cache: false, persist: true}]
"""

STAGE = """
import json, os, sys, time
from pathlib import Path
import yaml

ran = Path(os.environ["RAN"])
ran.with_name("pid").write_text(str(os.getpid()))
with ran.open("a") as log:
    log.write(sys.argv[1] + chr(10))
params = yaml.safe_load(Path("params.yaml").read_text())
backbone, seed = params["model"]["backbone"], params["train"]["recipe"]["seed"]
if sys.argv[1] == "data":
    Path("data.txt").write_text(str(params["quotes"]["seed"]))
    sys.exit()
if seed == 6:
    print("error: the loss is not finite at step 3\\nhint: lower the rate", file=sys.stderr)
    sys.exit(6)
if seed == 4 and not Path(os.environ["RAN"]).with_name("gpu").exists():
    print("error: there is no GPU\\nhint: buy one", file=sys.stderr)
    sys.exit(4)
if seed == 7:
    os.abort()
if seed == 1000:
    raise MemoryError("the model is too large")
try:
    ran.with_name("asleep").write_text(str(os.getpid()))
    time.sleep(float(os.environ.get("SECONDS", 0)))
except KeyboardInterrupt:
    print("error: stopped by Ctrl-C\\nhint: `dvc repro` goes on", file=sys.stderr)
    sys.exit(130)
skill = backbone["hidden_size"] / 1000 - backbone["dropout"] ** 2 - seed / 100
near = {"value": skill, "low": skill - 0.01, "high": skill + 0.01}
sharpe = near | {"skewness": 0.0, "kurtosis": 3.0}
table = {"sessions": 100, "from": "2024-01-04", "to": "2024-05-31", "sharpe": sharpe}
rank_ic = near if seed != 5 else dict.fromkeys(near)
table |= {"rank_ic": {"1": rank_ic}, "mean_rank_ic": rank_ic}
Path("metrics").mkdir(exist_ok=True)
Path("metrics/validation.json").write_text(json.dumps(table))
Path("model.txt").write_text(json.dumps(params["model"]))
"""


@dataclass(frozen=True)
class Toy:
    """A repository, and commands run in it."""

    folder: Path

    @property
    def ran(self) -> list[str]:
        """The stages that ran, in any clone."""
        file = self.folder.parent / "ran.txt"
        return file.read_text().split() if file.exists() else []

    @property
    def pid(self) -> int:
        """Process ID of the stage that ran last."""
        return int((self.folder.parent / "pid").read_text())

    def asleep(self, ran: int) -> bool:
        """Whether the stage `train`, which had run some times, runs again and sleeps."""
        asleep, pid = (self.folder.parent / name for name in ("asleep", "pid"))
        return self.ran.count("train") > ran and asleep.exists() and asleep.read_text() == pid.read_text()

    @property
    def environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        here = {"PATH": path, "PYTHONPATH": str(ROOT / "src"), "RAN": str(self.folder.parent / "ran.txt")}
        return os.environ | here

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
        return done

    def space(self, parameters: dict[str, Any], *, trials: int = 3, **more: Any) -> None:
        """Writes `space.yaml`, untracked by Git."""
        content = {"objective": "mean_rank_ic", "trials": trials, "seed": 0, "parameters": parameters} | more
        (self.folder / "space.yaml").write_text(json.dumps(content))

    def search(self, *options: str) -> dict[str, Any]:
        """Runs `gogooku3 search space.yaml --json`, which must succeed."""
        found: dict[str, Any] = json.loads(self.run("gogooku3", "search", "space.yaml", "--json", *options).stdout)
        return found

    def refused(self, *options: str, code: int) -> str:
        """Stderr of a search that fails with an exit code."""
        done = self.run("gogooku3", "search", "space.yaml", *options, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr

    def copy(self, target: Path) -> Toy:
        shutil.copytree(self.folder, target, symlinks=True)
        return Toy(target)


def begun(folder: Path, environment: dict[str, str], *command: str) -> subprocess.Popen[str]:
    """A command in a session of its own."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait(until: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Waits until a condition holds, which must be before the process ends."""
    while not until():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def trials(root: Path) -> list[psutil.Process]:
    """The processes of all trials of a repository's searches."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK, "").startswith(str(root)):
                found.append(process)
    return found


def kill_trials(root: Path) -> None:
    for process in trials(root):
        with suppress(psutil.NoSuchProcess):
            process.kill()


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    """A committed pipeline after one run."""
    folder = tmp_path / "toy"
    (folder / "src").mkdir(parents=True)
    toy = Toy(folder)
    shutil.copyfile(ROOT / "params.yaml", folder / "params.yaml")
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / "stage.py").write_text(STAGE)
    (folder / "src/inputs.txt").write_text("inputs\n")
    (folder / ".gitignore").write_text("/logs/\n")
    for command in (
        ("git", "init", "--quiet"),
        ("git", "config", "user.name", "Test"),
        ("git", "config", "user.email", "test@example.com"),
        ("dvc", "init", "--quiet"),
        ("dvc", "repro", "--quiet"),
        ("git", "add", "--all"),
        ("git", "commit", "--quiet", "--message", "A toy"),
    ):
        toy.run(*command)
    return toy
