"""The record of a stage's run: bound to its outputs, small, and never a reason to fail."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from pydantic import TypeAdapter

from gogooku3 import paths
from gogooku3.recovery.provenance.runs import StageRun
from gogooku3.runtime import machine
from gogooku3.stages.__main__ import STAGES
from gogooku3.stages.run_record import OUTPUTS, installed, record_run

ROOT = Path(__file__).parents[2]
PIPELINE: Any = OmegaConf.to_container(OmegaConf.load(ROOT / "dvc.yaml"))["stages"]  # type: ignore[index,call-overload]
ARGUMENTS = {"train": ["${key}"]} | {stage: ["${item}"] for stage in ("member", "fold", "fold_baselines")}


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    (tmp_path / "data").mkdir()
    (tmp_path / paths.BASELINES).write_bytes(b"scores")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_stage_is_identified_by_outputs_that_it_declares() -> None:
    assert sorted(OUTPUTS) == sorted(STAGES)
    for stage, outputs in OUTPUTS.items():
        own = PIPELINE[stage].get("do", PIPELINE[stage])
        listed = [out for kind in ("outs", "metrics", "plots") for out in own.get(kind, [])]
        declared = [Path(next(iter(out)) if isinstance(out, dict) else out) for out in listed]
        for path in outputs(*ARGUMENTS.get(stage, [])):
            assert any(path == out or out in path.parents for out in declared), (stage, path)


def test_a_record_has_duration_machine_libraries_and_the_hash_of_the_outputs(workspace: Path) -> None:
    started = datetime.now(UTC) - timedelta(seconds=5)
    record_run(("baselines",), started)
    (file,) = (workspace / paths.RUNS).iterdir()
    run = TypeAdapter(StageRun).validate_json(file.read_bytes())
    assert (run.command, run.started) == ("baselines", started.isoformat(timespec="seconds"))
    assert 5 <= run.seconds < 600
    assert run.outputs == {str(paths.BASELINES): hashlib.md5(b"scores").hexdigest()}
    assert run.machine["cpus"] == len(os.sched_getaffinity(0))
    assert run.machine["memory_gib"] > 0
    assert run.machine["gpu"] is None
    assert run.machine["software"]["Python"] == sys.version.split()[0]
    assert "torch" in run.installed
    record_run(("baselines",), started)
    (workspace / paths.BASELINES).write_bytes(b"other scores")
    record_run(("baselines",), started)
    assert len(list((workspace / paths.RUNS).iterdir())) == 2


def test_installed_are_the_versions_that_are_imported() -> None:
    from importlib.metadata import version

    found = installed()
    for name in ("numpy", "polars", "scikit-learn", "torch"):
        assert found[name] == version(name)


@pytest.mark.parametrize(
    ("text", "driver"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\n", "535.104.05"),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build\nGCC\n", "570.86.15"),
        ("something else\n", None),
    ],
)
def test_the_driver_is_read_from_the_kernel(tmp_path: Path, text: str, driver: str | None) -> None:
    (tmp_path / "version").write_text(text)
    assert machine.nvidia_driver(tmp_path / "version") == driver
    assert machine.nvidia_driver(tmp_path / "none") is None


def test_a_record_that_cannot_be_written_is_a_warning(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / paths.BASELINES).unlink()
    record_run(("baselines",), datetime.now(UTC))
    (workspace / paths.BASELINES).write_bytes(b"scores")
    (workspace / paths.LOGS).write_text("a file")
    record_run(("baselines",), datetime.now(UTC))
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[0] for line in said] == ["warning", "warning"]
    assert "not recorded" in said[0]


@pytest.mark.slow
def test_a_stage_records_its_run_and_a_failed_one_does_not(workspace: Path) -> None:
    params = OmegaConf.load(workspace / "params.yaml")
    OmegaConf.update(params, "quotes.stocks", 30)
    OmegaConf.save(params, workspace / "params.yaml")

    def stage(*command: str) -> int:
        program = [sys.executable, str(ROOT / "src/gogooku3"), "stages", *command]
        return subprocess.run(program, cwd=workspace, check=False).returncode

    assert stage("dataset") != 0
    assert not (workspace / paths.RUNS).exists()
    assert stage("quotes") == 0
    (file,) = (workspace / paths.RUNS).iterdir()
    record = json.loads(file.read_text())
    assert set(record["outputs"]) == {"data/quotes/bars.parquet", "data/quotes/rules.json"}
    assert record["seconds"] > 0
