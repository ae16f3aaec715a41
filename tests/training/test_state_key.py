"""The checkpoint key names every input of a phase, and changes with each of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gogooku3.config.train import Loss
from gogooku3.model.network import Architecture, Network
from gogooku3.training.state_key import state_key

from ..recipes import pace, recipe

RECIPE = recipe(loss=Loss(1.0, 0.0, 0.0, [1.0, 1.0]))
PHASE = pace(3, 1e-3)
DOMAIN = {"numerics": {"threads": 2}, "exact_on": "x86-64-v3"}


@pytest.fixture
def architecture(network: Callable[..., Network]) -> Architecture:
    return network("gat").architecture


@pytest.fixture
def before(architecture: Architecture, tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "contents.json").write_text("{}")
    return state_key(architecture, RECIPE, PHASE, "sharpe", DOMAIN, [tmp_path / "contents.json"])


def test_the_same_inputs_are_the_same(before: dict[str, Any], architecture: Architecture, tmp_path: Path) -> None:
    assert state_key(architecture, RECIPE, PHASE, "sharpe", DOMAIN, [tmp_path / "contents.json"]) == before


def test_every_changed_input_is_known_by_its_name(
    before: dict[str, Any], architecture: Architecture, tmp_path: Path
) -> None:
    contents = tmp_path / "contents.json"
    changes: dict[str, tuple[Any, ...]] = {
        "model.backbone.dropout": (
            replace(architecture, backbone=replace(architecture.backbone, dropout=0.2)),
            RECIPE, PHASE, "sharpe", DOMAIN,
        ),
        "train.recipe.loss.sharpe": (
            architecture, replace(RECIPE, loss=replace(RECIPE.loss, sharpe=2.0)), PHASE, "sharpe", DOMAIN,
        ),
        "train.phase.learning_rate": (architecture, RECIPE, pace(3, 2e-3), "sharpe", DOMAIN),
        "tier.metric": (architecture, RECIPE, PHASE, "mean_rank_ic", DOMAIN),
        "environment.numerics.threads": (architecture, RECIPE, PHASE, "sharpe", DOMAIN | {"numerics": {"threads": 1}}),
    }  # fmt: skip
    for name, arguments in changes.items():
        found = state_key(*arguments, [contents])
        assert [key for key in found.keys() | before.keys() if found.get(key) != before.get(key)] == [name]
    contents.write_text('{"a": 1}')
    found = state_key(architecture, RECIPE, PHASE, "sharpe", DOMAIN, [contents])
    assert [key for key in found if found[key] != before[key]] == [contents.as_posix()]


CODE = """
import sys
import gogooku3.stages.train
from gogooku3.training.state_key import _code
print(_code())
"""


@pytest.mark.slow
def test_code_that_training_loads_counts_and_other_code_does_not(tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "src/gogooku3"
    copy = tmp_path / "gogooku3"
    subprocess.run(["cp", "-r", str(source), str(copy)], check=True)

    def code() -> str:
        return subprocess.run(
            [sys.executable, "-c", CODE], env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=True
        ).stdout

    before = code()
    for name, counts in (("recovery/audit.py", False), ("cli/verify.py", False), ("training/losses.py", True)):
        with (copy / name).open("a") as file:
            file.write("# changed\n")
        assert (code() != before) == counts, name
