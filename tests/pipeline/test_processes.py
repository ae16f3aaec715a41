"""Distributed training of a phase: the bytes of a single process, one error for any failure, and no leftovers."""

from __future__ import annotations

import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from socket import socket
from typing import Any

import psutil
import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file

from .conftest import SMALL, Workspace

PHASE = "gat"
"""Reads neighbours, most of which are outside the sampled stocks or in another shard."""
SETTINGS = {
    "numerics.threads": 1,
    "numerics.shares": 2,
    "train.recipe.batch_stocks": 11,  # in shards of different sizes
    "train.recipe.batch_size": 220,
    "train.phases.gat.epochs": 2,
}
TWO = {"numerics.processes": 2}


class Place:
    """A folder in which one phase is trained."""

    def __init__(self, folder: Path, small_run: Workspace, **settings: object) -> None:
        self.folder = folder
        for name in ("data/dataset", "models/parent", "models/adaptive_norm"):
            shutil.copytree(small_run.folder / name, folder / name)
        self._given = OmegaConf.load(small_run.folder / "params.yaml")
        self._source = small_run.folder / "src"
        self.set(settings)

    def set(self, settings: dict[str, Any]) -> None:
        params = self._given.copy()
        for name, value in (SETTINGS | settings).items():
            OmegaConf.update(params, name, value)
        OmegaConf.save(params, self.folder / "params.yaml")

    def train(self) -> subprocess.CompletedProcess[str]:
        with self.training() as process:
            out, err = process.communicate(timeout=1200)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    @contextmanager
    def training(self) -> Iterator[subprocess.Popen[str]]:
        """Runs the phase as DVC would, in a new session; all its processes must end with it."""
        command = [sys.executable, str(self._source / "gogooku3"), "stages", "train", PHASE]
        environment = os.environ | {"PYTHONPATH": str(self._source)}
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command, cwd=self.folder, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True
        ) as process:
            yield process
        gone = time.monotonic() + 120
        while self.workers():
            assert time.monotonic() < gone, "a process is left"
            time.sleep(0.05)

    @contextmanager
    def torchrun(self, nodes: int, processes: int, *others: Place) -> Iterator[list[subprocess.Popen[str]]]:
        """Runs the phase as `torchrun` does on several machines, each of which has an agent and its processes.

        Args:
            others: working trees of the last machines, if not this one.
        """
        folders = [self.folder] * (nodes - len(others)) + [place.folder for place in others]
        with socket() as free:
            free.bind(("localhost", 0))
            port = free.getsockname()[1]
        launcher = [sys.executable, "-m", "torch.distributed.run", f"--nnodes={nodes}", f"--nproc-per-node={processes}"]
        launcher += ["--master-addr=localhost", f"--master-port={port}", "--local-addr=localhost"]
        stage = [str(self._source / "gogooku3"), "stages", "train", PHASE]
        environment = os.environ | {"PYTHONPATH": str(self._source)}
        pipe = subprocess.PIPE
        with ExitStack() as stack:
            yield [
                stack.enter_context(
                    subprocess.Popen(
                        [*launcher, f"--node-rank={rank}", *stage],
                        cwd=folders[rank],
                        env=environment,
                        stdout=pipe,
                        stderr=pipe,
                        text=True,
                    )
                )
                for rank in range(nodes)
            ]

    def workers(self) -> dict[int, psutil.Process]:
        """The worker processes of this folder, by rank."""
        found = {}
        for process in psutil.process_iter():
            try:
                if "stages.worker" in process.cmdline() and process.cwd() == str(self.folder):
                    found[int(process.environ()["RANK"])] = process
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
        return found

    def until_saved(self, process: subprocess.Popen[str], states: int = 1) -> dict[int, psutil.Process]:
        """Waits for some checkpoints after the first one; returns the workers."""
        before: set[str] = set()
        while len(before) < states:
            assert process.poll() is None, process.communicate()
            before |= {path.name for path in (self.folder / f"models/.{PHASE}.partial").glob("0*")}
            time.sleep(0.01)
        return self.workers()

    @property
    def made(self) -> dict[str, bytes]:
        """The outputs of the phase."""
        files = [*(self.folder / f"models/{PHASE}").iterdir(), self.folder / f"plots/training/{PHASE}.csv"]
        return {path.name: path.read_bytes() for path in files}


Make = Callable[..., Place]


@pytest.fixture(scope="module")
def place(small_run: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Make:
    return lambda **settings: Place(tmp_path_factory.mktemp("place"), small_run, **settings)


@pytest.fixture(scope="module")
def alone(place: Make) -> dict[str, bytes]:
    """The outputs of one process with two shards."""
    made = place()
    done = made.train()
    assert done.returncode == 0, done.stderr
    assert len(made.made) == 5
    return made.made


def distance(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> float:
    """The distance over the weights that both have."""
    return math.sqrt(sum(float((tensor - two[name]).square().sum()) for name, tensor in one.items()))


def the_error(said: str) -> str:
    """The only error of a run, with its hint."""
    assert "Traceback" not in said
    lines = said.splitlines()
    (start,) = [row for row, line in enumerate(lines) if line.startswith("error: ")]
    assert len(lines) == start + 2, said
    assert lines[-1].startswith("hint: ")
    return "\n".join(lines[start:])


@pytest.mark.slow
def test_two_processes_of_which_one_is_killed_go_on_and_make_the_bytes_of_one(
    place: Make, alone: dict[str, bytes]
) -> None:
    two = place(**TWO)
    with two.training() as process:
        two.until_saved(process)[1].kill()
        said = process.communicate(timeout=600)[1]
    assert process.returncode == 4
    error = the_error(said)
    assert "training process 1 of 2 was killed by SIGKILL" in error
    assert "`dvc repro` resumes from the newest checkpoint" in error
    done = two.train()
    assert done.returncode == 0, done.stderr
    assert "resuming from epoch" in done.stderr
    assert done.stderr.count("validation RankIC") <= 2, "one process is seen"
    assert two.made == alone
    assert not list(two.folder.rglob("*.partial"))


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["the first", "all", "the one that started them"])
def test_whichever_process_is_killed_the_next_run_makes_the_same_bytes(
    victim: str, place: Make, alone: dict[str, bytes]
) -> None:
    two = place(**TWO)
    with two.training() as process:
        workers = two.until_saved(process, states=2)
        if victim == "the one that started them":
            process.kill()
        else:
            for rank in [0] if victim == "the first" else [1, 0]:
                workers[rank].kill()
        said = process.communicate(timeout=600)[1]
    if victim == "the one that started them":
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 4
        assert "was killed by SIGKILL" in the_error(said)
    assert two.train().returncode == 0
    assert two.made == alone


@pytest.mark.slow
@pytest.mark.parametrize(("number", "name"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")])
def test_a_signal_ends_all_at_one_step_and_the_next_run_goes_on_with_any_number_of_processes(
    number: signal.Signals, name: str, place: Make, alone: dict[str, bytes]
) -> None:
    two = place(**TWO)
    with two.training() as process:
        two.until_saved(process)
        os.killpg(process.pid, number)
        said = process.communicate(timeout=600)[1]
    assert process.returncode == 130
    assert f"phase {PHASE} was stopped by {name} in epoch" in the_error(said)
    two.set({"numerics.processes": 1})
    done = two.train()
    assert "resuming from epoch" in done.stderr
    assert two.made == alone


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.5, 2.0])
def test_a_signal_before_the_first_step_is_one_error(seconds: float, place: Make) -> None:
    two = place(**TWO)
    with two.training() as process:
        while len(two.workers()) < 2:
            time.sleep(0.01)
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate(timeout=600)[1]
    assert process.returncode == 130
    assert "stopped by Ctrl-C" in the_error(said)


@pytest.mark.slow
def test_four_shares_are_the_same_bytes_from_one_two_and_four_processes(place: Make, alone: dict[str, bytes]) -> None:
    made = []
    for processes in (1, 2, 4):
        each = place(**{"numerics.shares": 4, "numerics.processes": processes})
        done = each.train()
        assert done.returncode == 0, done.stderr
        made.append(each.made)
    assert made[0] == made[1] == made[2]
    assert made[0] != alone, "the number of shares is part of what decides the bytes"


@pytest.mark.slow
def test_two_machines_of_torchrun_make_the_bytes_of_one_process_and_resume(
    place: Make, alone: dict[str, bytes]
) -> None:
    """Two agents of `torchrun` with two processes each, in one working tree; both get SIGTERM in the first run."""
    four = place(**{"numerics.shares": 4})
    assert four.train().returncode == 0
    expected = four.made
    nodes = place(**{"numerics.shares": 4, "numerics.processes": 4})
    with nodes.torchrun(2, 2) as agents:
        nodes.until_saved(agents[0])
        for agent in agents:
            agent.terminate()
        said = "".join(agent.communicate(timeout=600)[1] for agent in agents)
    assert all(agent.returncode for agent in agents)
    assert f"error: phase {PHASE} was stopped by SIGTERM in epoch" in said
    with nodes.torchrun(2, 2) as agents:
        outputs = [agent.communicate(timeout=1200)[1] for agent in agents]
    assert [agent.returncode for agent in agents] == [0, 0], outputs
    assert "resuming from epoch" in outputs[0]
    assert nodes.made == expected
    assert not list(nodes.folder.rglob("*.partial"))
    assert len(list((nodes.folder / "logs/runs").iterdir())) == 1


@pytest.mark.slow
def test_machines_with_other_inputs_end_with_one_error_before_the_first_step(place: Make) -> None:
    here, there = (place(**TWO, **{"train.recipe.seed": seed}) for seed in (1, 2))
    with here.torchrun(2, 1, there) as agents:
        said = "".join(agent.communicate(timeout=600)[1] for agent in agents)
    assert all(agent.returncode for agent in agents)
    assert "error: training processes 0 and 1 have different inputs\nhint: on several machines" in said
    assert "the same environment" not in said
    assert not any((each.folder / f"models/{PHASE}").exists() for each in (here, there))


@pytest.mark.slow
def test_another_number_of_processes_than_that_of_the_parameters_is_refused(place: Make) -> None:
    nodes = place(**{"numerics.shares": 4, "numerics.processes": 4})
    with nodes.torchrun(2, 1) as agents:
        said = "".join(agent.communicate(timeout=600)[1] for agent in agents)
    assert all(agent.returncode for agent in agents)
    assert "error: `torchrun` started 2 processes, but `numerics.processes` is 4" in said


@pytest.mark.slow
def test_the_fast_reduction_differs_by_roundings_and_is_repeatable(place: Make) -> None:
    """With two shards per process: one backward pass for both."""
    one = place(**{"numerics.shares": 4})
    assert one.train().returncode == 0
    made = []
    for _ in range(2):
        fast = place(**TWO, **{"numerics.shares": 4, "numerics.reduction": "fast"})
        done = fast.train()
        assert done.returncode == 0, done.stderr
        assert "Warning" not in done.stderr
        made.append(fast.made)
    assert made[0] == made[1]
    first = load_file(one.folder / "models/adaptive_norm/model.safetensors")
    exact, rounded = (load_file(each.folder / f"models/{PHASE}/model.safetensors") for each in (one, fast))
    assert any(not torch.equal(rounded[name], tensor) for name, tensor in exact.items())
    assert distance(rounded, exact) < 0.05 * distance(first, exact)
    history = OmegaConf.load(fast.folder / f"models/{PHASE}/history.json")
    assert history.environment.numerics.processes == 2
    assert history.environment.numerics.reduction == "fast"


@pytest.mark.slow
@pytest.mark.parametrize("reduction", ["fixed", "fast"])
def test_a_divergence_is_one_error_that_names_the_state_of_the_process_that_writes(reduction: str, place: Make) -> None:
    wild = place(**TWO, **{"numerics.reduction": reduction, "train.phases.gat.learning_rate": 1e30})
    done = wild.train()
    assert done.returncode == 6
    error = the_error(done.stderr)
    assert "phase gat diverged in epoch 0, step" in error
    assert "the last good checkpoint, epoch 0, step" in error
    assert len(list((wild.folder / f"models/.{PHASE}.partial").glob("0*"))) <= 2


@pytest.mark.slow
def test_bad_data_is_one_error(place: Make) -> None:
    broken = place(**TWO)
    (broken.folder / "data/dataset/schema.json").unlink()
    done = broken.train()
    assert done.returncode == 3
    assert "schema.json` does not exist" in the_error(done.stderr)


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the devices whose absence is tested")
def test_more_processes_than_gpus_are_refused(place: Make) -> None:
    done = place(**TWO, **{"numerics.device": "cuda"}).train()
    assert done.returncode == 4
    assert "this machine runs 2 of the 2 processes (`numerics.processes`), but torch finds 0 GPUs" in the_error(
        done.stderr
    )


@pytest.mark.slow
def test_dvc_repro_starts_the_processes_and_locks_the_same_models(workspace: Workspace) -> None:
    def trained(processes: int) -> list[object]:
        settings = {name: str(value) for name, value in SETTINGS.items()} | {"numerics.processes": str(processes)}
        workspace.compose(SMALL | settings)
        done = workspace.run("dvc", "repro", f"train@{PHASE}")
        assert "Traceback" not in done.stderr
        stages = OmegaConf.load(workspace.folder / "dvc.lock").stages
        return [stages[f"train@{name}"].outs for name in ("baseline", "adaptive_norm", PHASE)]

    assert trained(1) == trained(2)
