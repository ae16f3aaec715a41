"""Stages of a lock file in execution order."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from gogooku3.errors import DataError
from gogooku3.recovery.reproduction.pipeline import stages
from gogooku3.training.phases import PHASES

ROOT = Path(__file__).parents[3]


def lock(**written: tuple[list[str], list[str]]) -> str:
    def entries(paths: list[str]) -> list[dict[str, str]]:
        return [{"path": path, "md5": "0" * 32} for path in paths]

    return yaml.safe_dump(
        {"stages": {name: {"deps": entries(deps), "outs": entries(outs)} for name, (deps, outs) in written.items()}},
        sort_keys=False,
    )


def test_stages_are_in_topological_order_otherwise_as_in_the_file() -> None:
    text = lock(
        package=(["models/gat/weights"], ["package"]),
        train=(["data/dataset/month", "code.py"], ["models/gat"]),
        other=([], ["other"]),
        dataset=([], ["data/dataset"]),
    )
    assert [stage.name for stage in stages(text)] == ["other", "dataset", "train", "package"]


def test_the_projects_own_lock_file_is_in_the_order_of_the_pipeline() -> None:
    names = [stage.name for stage in stages((ROOT / "dvc.lock").read_text())]
    trained = [f"train@{phase}" for phase in PHASES]
    free = ("quality", "parent", "baselines", "attribution", "report")  # these may be elsewhere
    in_line = [name for name in names if name not in free]
    assert in_line == ["quotes", "dataset", *trained, "evaluate", "package"]


def test_outputs_in_git_are_recorded_too() -> None:
    outs = {path for stage in stages((ROOT / "dvc.lock").read_text()) for path in stage.outs}
    assert {"metrics/test.json", "plots/training/gat.csv", "models/package/model.safetensors"} <= outs


@pytest.mark.parametrize("text", ["", "stages: [", "stages: {a: {outs: [{path: x}]}}", "stages: 3"])
def test_an_invalid_lock_file_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="not a lock file"):
        stages(text)


def test_a_cycle_of_stages_is_refused() -> None:
    with pytest.raises(DataError, match="not a lock file"):
        stages(lock(a=(["y"], ["x"]), b=(["x"], ["y"])))
