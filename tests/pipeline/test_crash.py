"""A training phase that is killed, interrupted or out of disk at any time resumes and ends with the same bytes.

Stages run in subprocesses, forked from a process with loaded libraries, and are really killed: by SIGKILL
before a chosen file operation under `models/`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gogooku3.training.phases import PHASES

from .conftest import Workspace

RUNNER = """
import json, os, resource, runpy, signal, sys
from gogooku3.runtime import numerics
from gogooku3.config.numerics import Numerics
numerics.pin(Numerics("cpu", 2, "portable", "float32", 1, 1, "fixed"))
import gogooku3.stages.train
from gogooku3.training import checkpoints

def disturb(at, how):
    done = 0
    def hook(event, arguments):
        nonlocal done
        changes = event in ("os.remove", "os.rename", "os.mkdir") or (event == "open" and "w" in str(arguments[1]))
        if changes and "models/" in str(arguments[0]):
            if done == at and how == "full disk":
                resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
            elif done == at:
                os.kill(os.getpid(), getattr(signal, how))
            done += 1
    sys.addaudithook(hook)
    return lambda: done

for line in sys.stdin:
    task = json.loads(line)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.chdir(task["folder"])
        with open(task["said"], "w") as said:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
        checkpoints._LONGEST_S = 0.0  # a state after every step
        operations = disturb(task["at"], task["how"])
        sys.argv = ["stages", *task["stage"]]
        try:
            runpy.run_module("gogooku3.stages", run_name="__main__", alter_sys=True)
        except SystemExit as ended:
            os.write(write, str(operations()).encode())
            sys.stderr.flush()
            os._exit(ended.code)
    os.close(write)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with os.fdopen(read) as told:
        print(json.dumps({"status": status, "operations": int(told.read() or 0)}), flush=True)
"""


class Stages:
    """Runs stages in folders, each in a new process."""

    def __init__(self, process: subprocess.Popen[str], said: Path) -> None:
        self._process, self._said = process, said
        self.operations = 0
        """Of the last stage that was not killed."""

    def run(self, folder: Path, *stage: str, at: int = -1, how: str = "SIGKILL") -> tuple[int, str]:
        """Exit code (minus the signal's number if one killed it) and output; `at`: before which file
        operation it is disturbed, and how."""
        task = {"folder": str(folder), "said": str(self._said), "stage": stage, "at": at, "how": how}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        done = json.loads(self._process.stdout.readline())
        self.operations = done["operations"]
        said = self._said.read_text()
        assert "Traceback" not in said, said
        return int(done["status"]), said


@pytest.fixture(scope="module")
def stages(small_run: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    with subprocess.Popen(
        [sys.executable, "-c", RUNNER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(small_run.folder / "src")},
    ) as process:
        yield Stages(process, tmp_path_factory.mktemp("said") / "said.txt")
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def folder(small_run: Workspace, tmp_path: Path) -> Path:
    """The small run's inputs and the phase before `adaptive_norm`, with outputs of an older run."""
    for name in ("data/dataset", "models/parent", "models/baseline"):
        shutil.copytree(small_run.folder / name, tmp_path / name)
    shutil.copyfile(small_run.folder / "params.yaml", tmp_path / "params.yaml")
    older = tmp_path / "models/adaptive_norm"
    older.mkdir()
    for name in ("config.json", "history.json", "model.safetensors", "state.safetensors"):
        (older / name).write_text("older")
    return tmp_path


Check = Callable[[Path], None]


@pytest.fixture
def as_undisturbed(small_run: Workspace) -> Check:
    """Asserts that a folder contains the small run's bytes of the phase, and no partial files."""

    def check(folder: Path) -> None:
        names = [f"models/adaptive_norm/{path.name}" for path in (folder / "models/adaptive_norm").iterdir()]
        assert len(names) == 4
        for name in [*names, "plots/training/adaptive_norm.csv"]:
            assert (folder / name).read_bytes() == (small_run.folder / name).read_bytes(), name
        assert not list(folder.rglob("*.partial"))

    return check


def older(folder: Path) -> bool:
    return all(path.read_bytes() == b"older" for path in (folder / "models/adaptive_norm").iterdir())


PHASE = ("train", "adaptive_norm")


@pytest.mark.slow
def test_killed_while_states_are_saved_it_goes_on_from_the_newest(
    stages: Stages, folder: Path, as_undisturbed: Check
) -> None:
    """Before the older state is removed, before the new one is written, and before it gets its name."""
    steps = []
    for at in (12, 13, 14):
        status, said = stages.run(folder, *PHASE, at=at)
        assert status == -signal.SIGKILL
        assert older(folder)
        assert len(list((folder / "models/.adaptive_norm.partial").glob("0*"))) <= 2
        steps += [int(line.split("step ")[1].split(",")[0]) for line in said.splitlines() if "resuming from" in line]
    assert stages.run(folder, *PHASE)[0] == 0
    as_undisturbed(folder)
    assert len(steps) == 2
    assert 0 < steps[0] < steps[1]


@pytest.mark.slow
def test_killed_before_each_file_that_a_phase_delivers_it_delivers_them_all(
    stages: Stages, folder: Path, as_undisturbed: Check, tmp_path: Path
) -> None:
    undisturbed = shutil.copytree(folder, tmp_path / "undisturbed")
    assert stages.run(undisturbed, *PHASE)[0] == 0
    as_undisturbed(undisturbed)
    # The last operation removes the lock; before it the four files take their places.
    assert stages.run(folder, *PHASE, at=stages.operations - 5)[0] == -signal.SIGKILL
    again = shutil.copytree(folder, tmp_path / "again")
    assert stages.run(again, *PHASE)[0] == 0
    as_undisturbed(again)
    moved = 0
    for at in (0, *range(stages.operations - 7, stages.operations - 1)):
        status, said = stages.run(folder, *PHASE, at=at)
        assert status == -signal.SIGKILL
        assert "resuming from epoch 1, step 0" in said
        moved += not older(folder)
    assert moved == 3, "of four files that take their places one after the other"
    assert stages.run(folder, *PHASE)[0] == 0
    as_undisturbed(folder)


@pytest.mark.slow
def test_a_newest_state_cut_off_by_a_power_failure_costs_a_step_and_no_byte(
    stages: Stages, folder: Path, as_undisturbed: Check
) -> None:
    assert stages.run(folder, *PHASE, at=33)[0] == -signal.SIGKILL
    before, newest = sorted((folder / "models/.adaptive_norm.partial").glob("0*"))
    newest.write_bytes(newest.read_bytes()[:-4096])
    status, said = stages.run(folder, *PHASE)
    assert status == 0
    assert f"`models/.adaptive_norm.partial/{newest.name}` is corrupt and was discarded" in said
    assert f"resuming from epoch 0, step {int(before.stem.split('-')[1])}" in said
    as_undisturbed(folder)


@pytest.mark.slow
def test_a_changed_parameter_starts_anew_and_ends_as_if_nothing_had_been_saved(
    stages: Stages, folder: Path, as_undisturbed: Check, tmp_path: Path
) -> None:
    params = folder / "params.yaml"
    original = params.read_text()
    changed = original.replace("weight_decay: 0.01", "weight_decay: 0.02")
    assert changed != original
    params.write_text(changed)
    alone = shutil.copytree(folder, tmp_path / "alone")
    assert stages.run(alone, *PHASE)[0] == 0

    params.write_text(original)
    assert stages.run(folder, *PHASE, at=43)[0] == -signal.SIGKILL
    params.write_text(changed)
    status, said = stages.run(folder, *PHASE)
    assert status == 0
    assert said.count("is stale and was discarded: these inputs have changed: `train.recipe.weight_decay`\n") == 2
    assert "resuming from" not in said
    for path in (folder / "models/adaptive_norm").iterdir():
        assert path.read_bytes() == (alone / "models/adaptive_norm" / path.name).read_bytes()

    params.write_text(original)
    assert stages.run(folder, *PHASE)[0] == 0
    as_undisturbed(folder)


@pytest.mark.slow
def test_a_disk_that_fills_up_ends_in_one_line_and_the_next_run_goes_on(
    stages: Stages, folder: Path, as_undisturbed: Check
) -> None:
    status, said = stages.run(folder, *PHASE, at=40, how="full disk")
    assert status == 4
    refused = [line for line in said.splitlines() if "could not be saved" in line]
    assert refused
    assert all("after a crash training would resume from epoch 0, step " in line for line in refused)
    assert said.splitlines()[-2].startswith("error: ")
    assert "cannot be used: File too large" in said
    assert said.splitlines()[-1].startswith("hint: free some space")
    assert older(folder)
    status, said = stages.run(folder, *PHASE)
    assert status == 0
    assert "resuming from epoch 0, step " in said
    as_undisturbed(folder)


@pytest.mark.slow
def test_ctrl_c_says_what_was_saved_and_how_to_go_on(stages: Stages, folder: Path, as_undisturbed: Check) -> None:
    status, said = stages.run(folder, *PHASE, at=40, how="SIGINT")
    assert status == 130
    position = said.split("was stopped by Ctrl-C in ")[1].split(";")[0]
    assert f"checkpoint in `models/.adaptive_norm.partial`: {position}\nhint: `dvc repro` resumes from it" in said
    assert older(folder)
    status, said = stages.run(folder, *PHASE)
    assert status == 0
    assert f"resuming from {position}, " in said
    as_undisturbed(folder)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_dvc_killed_and_interrupted_goes_on_and_locks_the_same(
    number: signal.Signals, workspace: Workspace, small_run: Workspace
) -> None:
    """Without the models of the last run and DVC's run cache, so that every phase is trained again."""
    for name in (".dvc/cache", *(f"models/{phase}" for phase in PHASES)):
        shutil.rmtree(workspace.folder / name)
    workspace.run("git", "checkout", "--", ".")

    def saved() -> set[Path]:
        return set((workspace.folder / "models").glob(".*.partial/0*"))

    for phase in PHASES:
        before, pipe = saved(), subprocess.PIPE
        with subprocess.Popen(
            ("dvc", "repro", f"train@{phase}"),
            cwd=workspace.folder,
            env=workspace.environment,
            stdout=pipe,
            stderr=pipe,
            text=True,
            start_new_session=True,
        ) as victim:
            while saved() <= before:
                assert victim.poll() is None, victim.communicate()
                time.sleep(0.02)
            os.killpg(victim.pid, number)
            said = victim.communicate()[1]
        if number == signal.SIGINT:
            assert f"phase {phase} was stopped by Ctrl-C in epoch" in said
            assert f"failed to reproduce 'train@{phase}'" in said
        assert saved()
        assert "resuming from epoch" in workspace.run("dvc", "repro", f"train@{phase}").stderr
    workspace.run("dvc", "repro")
    assert (workspace.folder / "dvc.lock").read_bytes() == (small_run.folder / "dvc.lock").read_bytes()
    assert workspace.changes() == ""
