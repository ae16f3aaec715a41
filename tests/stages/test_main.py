"""The stage runner: an unknown stage, a full disk and a signal give one clear error."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from gogooku3.stages.__main__ import STAGES
from gogooku3.training.phases import PHASES

ROOT = Path(__file__).parents[2]


def run(*command: str, folder: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "src/gogooku3"), "stages", *command],
        cwd=folder,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ((), f"use one of {', '.join(STAGES)}"),
        (("os",), "`os` is not a stage"),
        pytest.param(("train",), f"use one of {', '.join(PHASES)}", marks=pytest.mark.slow),
        (("train", "warmup"), "`warmup` is not a training phase"),
    ],
)
def test_an_unknown_stage_or_phase_is_refused_by_name(command: tuple[str, ...], message: str) -> None:
    done = run(*command)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_machine_without_openmp_is_told_what_lightgbm_lacks(tmp_path: Path) -> None:
    (tmp_path / "lightgbm.py").write_text("raise OSError('libgomp.so.1: cannot open shared object file')\n")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    done = run("baselines", PYTHONPATH=path)
    assert done.returncode == 4
    assert "LightGBM cannot be loaded: libgomp.so.1" in done.stderr
    assert "apt-get install libgomp1" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_without_parameters_is_refused(tmp_path: Path) -> None:
    done = run("quotes", folder=tmp_path)
    assert done.returncode == 2
    assert "`params.yaml` does not exist" in done.stderr


SMALL = {"stocks": 30}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which `quotes` runs at a small size."""
    params = OmegaConf.load(ROOT / "params.yaml")
    for name, value in SMALL.items():
        OmegaConf.update(params, f"quotes.{name}", value)
    OmegaConf.save(params, tmp_path / "params.yaml")
    return tmp_path


def test_a_full_disk_is_one_error_that_names_the_output(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "src/gogooku3"), "stages", "quotes"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY)),
    )
    assert done.returncode == 4, done.stderr
    error, hint = done.stderr.splitlines()
    assert error == "error: `data/.quotes.partial/bars.parquet` cannot be used: File too large"
    assert hint.startswith("hint: free some space on the disk of `data/.quotes.partial/bars.parquet`")
    assert list((folder / "data").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_is_one_error(number: signal.Signals, folder: Path) -> None:
    """As soon as signals are handled, before anything heavy is imported."""
    command = [sys.executable, str(ROOT / "src/gogooku3"), "stages", "quotes"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True, start_new_session=True) as stage:
        while not handles_signals(stage.pid):
            time.sleep(0.01)
        stage.send_signal(number)
        said = stage.communicate(timeout=120)[1]
    name = "Ctrl-C" if number == signal.SIGINT else number.name
    assert stage.returncode == 130
    assert said == f"error: stopped by {name}\nhint: `dvc repro` resumes; finished stages are kept\n"
    assert not (folder / "data").exists()


def handles_signals(pid: int) -> bool:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
