"""The GPU benchmark on a CPU: the result of a part is written when it ends, and a failure ends no other part."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import gpu
import pytest
from steps.device_report import PHASES

ROOT = Path(__file__).parents[2]


def test_a_part_needs_the_data_and_the_training_that_it_compares_with() -> None:
    found = {"data", "train"}
    assert [part for part in gpu.PARTS if gpu.missing_for(part, set())] == [
        *("steps", "train", "again", "resume", "tier2-steps", "tier2-train", "tier2-again")
    ]
    assert [part for part in gpu.PARTS if gpu.missing_for(part, found)] == ["tier2-again"]
    assert gpu.missing_for("tier2-again", found) == "tier2-train"


def test_a_failed_part_is_reported_and_the_parts_without_it_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> object:
        raise SystemExit("stage ended with 4")

    monkeypatch.setattr(gpu, "composed", lambda overrides: "")
    monkeypatch.setattr(gpu, "data", lambda place: {"rows": 1})
    monkeypatch.setattr(gpu, "ceilings", lambda place, device: {"device": "none"})
    monkeypatch.setattr(gpu, "selection", lambda place, device: {})
    monkeypatch.setattr(gpu, "train", fails)
    monkeypatch.setattr(gpu, "steps", lambda *_: {})
    monkeypatch.setattr(gpu, "markdown", lambda found, overrides: " ".join(sorted(found)))
    arguments = ["--size", "small", "--device", "cpu", "--folder", str(tmp_path), "--out", str(tmp_path / "out.md")]
    monkeypatch.setattr(sys, "argv", ["gpu.py", *arguments])
    assert gpu.main() == 1
    assert (tmp_path / "out.md").read_text() == "ceilings data selection steps tier2-steps"
    error = capsys.readouterr().err
    assert "train failed: SystemExit: stage ended with 4" in error
    assert "resume needs train, which has no result" in error


@pytest.mark.slow
def test_the_small_size_runs_on_a_cpu(tmp_path: Path) -> None:
    out = tmp_path / "out.md"
    command = [sys.executable, str(ROOT / "benchmarks/gpu.py"), "--size", "small", "--device", "cpu"]
    parts = ("data", "ceilings", "steps", "train", "resume", "tier2-steps")
    options = ["--folder", str(tmp_path / "place"), "--out", str(out), "--only", *parts]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert out.read_text(encoding="utf-8") == done.stdout.removesuffix("\n")
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (tmp_path / "place/found").iterdir()}
    assert found.keys() == {*parts}
    for part in ("steps", "train", "tier2-steps"):
        assert tuple(found[part]) == PHASES
    assert found["resume"] == {"state": True, "differ": []}
