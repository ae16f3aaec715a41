"""`reproduce` on a released small run: the same bytes, and the first difference from another recording."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Workspace

AGAIN = ("reproduce", "demo@v1.0.0", "--json")


@pytest.fixture
def tagged(workspace: Workspace, tmp_path: Path) -> Workspace:
    """The small run with its own bucket."""
    (tmp_path / "bucket").mkdir()
    (workspace.folder / ".dvc/config.local").write_text(f"['remote \"store\"']\n    url = {tmp_path / 'bucket'}\n")
    return workspace


@pytest.mark.slow
def test_a_released_run_is_trained_again_to_the_same_bytes(tagged: Workspace, tmp_path: Path) -> None:
    tagged.run("gogooku3", "promote", "demo")
    done = tagged.run("gogooku3", *AGAIN, "--to", str(tmp_path / "again"))
    found = json.loads(done.stdout)
    assert found["same"] is True
    assert found["domain"]["outcome"] == "passed"
    again = Workspace(tmp_path / "again")
    assert again.changes() == ""
    made = ("models", "data", "metrics", "plots", "reports")
    assert again.bytes_of(*made) == tagged.bytes_of(*made)


@pytest.mark.slow
def test_a_recording_of_another_rate_parts_after_the_first_step_of_its_phase(tagged: Workspace, tmp_path: Path) -> None:
    """The recorded outputs are of another learning rate: the first step has the same loss and the same
    gradient norm, and then other weights."""
    params = tagged.folder / "params.yaml"
    before, gat, after = params.read_text().partition("    gat:\n")
    params.write_text(before + gat + after.replace("learning_rate: 0.0001", "learning_rate: 0.0002", 1))
    tagged.commit("Another rate, never trained")
    tagged.run("git", "tag", "-a", "-m", "by hand", "demo@v1.0.0")
    tagged.run("dvc", "push", "--quiet")
    done = tagged.run("gogooku3", *AGAIN, check=False, TMPDIR=str(tmp_path))
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    differing = {
        stage["stage"]
        for stage in found["stages"]
        if any(output["recorded"] != output["here"] for output in stage["outputs"])
    }
    assert differing == {"train@gat", "train@finetune", "evaluate", "attribution", "report", "package"}
    first, *others = found["differences"]
    assert first["path"] == "models/gat/history.json"
    assert first["first"]["where"] == {"phase": "gat", "epoch": 0, "step": 0, "value": "weights"}
    assert first["first"]["recorded"] != first["first"]["here"]
    losses = [
        json.loads((folder / first["path"]).read_text())["step_losses"]
        for folder in (tagged.folder, Path(found["folder"]))
    ]
    assert losses[0][0] == losses[1][0]
    assert losses[0][1] != losses[1][1]
    tensors = {each["path"]: each["first"] for each in others}["models/gat/model.safetensors"]
    assert "tensor" in tensors["where"]
    assert "tensors differ, by up to" in tensors["extent"]
