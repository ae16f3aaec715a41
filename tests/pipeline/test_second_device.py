"""The stages that compute with a network write the same files on a second device as on the CPU."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gogooku3.training.phases import PHASES

from ..device.second import MISSING, NAME
from .conftest import ROOT, SMALL, Workspace

STAGES = (
    *(f"train {phase}" for phase in PHASES),
    *("member 2", "ensemble", "evaluate", "attribution", "package"),
)


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_the_stages_write_the_same_files(small_run: Workspace, tmp_path: Path) -> None:
    """From the dataset to the package of an ensemble."""
    found = []
    for device in ("cpu", NAME):
        workspace = small_run.copy(tmp_path / device)
        workspace.compose(SMALL | {"train.scheme": "ensemble", "train.further_seeds": "[2]"})
        done = workspace.run(sys.executable, str(ROOT / "tests/device/stages.py"), device, *STAGES)
        assert done.stdout.split() == ([f"{NAME}:0"] * len(STAGES) if device == NAME else [])
        found.append(workspace.bytes_of("models", "metrics", "plots", "data"))
    cpu, second = found
    assert "models/ensemble/model.safetensors" in cpu
    assert [name for name in sorted(cpu.keys() | second.keys()) if cpu.get(name) != second.get(name)] == []
