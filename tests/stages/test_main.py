"""The stage runner: an unknown stage or phase gives one clear error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
        (("train",), f"use one of {', '.join(PHASES)}"),
        (("train", "warmup"), "`warmup` is not a training phase"),
    ],
)
def test_an_unknown_stage_or_phase_is_refused_by_name(command: tuple[str, ...], message: str) -> None:
    done = run(*command)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


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
