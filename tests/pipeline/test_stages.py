"""`dvc.yaml` names the code that each stage uses: all of it, and no more."""

from __future__ import annotations

from pathlib import Path

import grimp
import pytest
from omegaconf import OmegaConf

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
UNHASHED = ("gogooku3.config", "gogooku3.errors", "gogooku3.progress", "gogooku3.source", "gogooku3.startup")
"""The parameters are hashed themselves, errors and `startup` end a stage, progress is only shown, and `source` says by
which code a process runs: none can change a result."""

NAMED_BY_HASH = {"parent": "gogooku3.recovery"}
"""Code that only fetches what a stage names by hash: whatever fetched the bytes, they are these or the stage fails."""

STAGES = OmegaConf.to_container(OmegaConf.load(ROOT / "dvc.yaml"))["stages"]  # type: ignore[call-overload,index]


def code(stage: str) -> list[Path]:
    definition = STAGES[stage]
    listed = definition.get("do", definition)["deps"]
    return [ROOT / name for name in listed if name.startswith("src/")]


def imported(stage: str) -> set[Path]:
    """Files that a stage imports, directly or not, beside the runner's own; not through code in `NAMED_BY_HASH`."""
    graph = grimp.build_graph("gogooku3")
    if stage in NAMED_BY_HASH:
        graph.squash_module(NAMED_BY_HASH[stage])
        graph.remove_module(NAMED_BY_HASH[stage])
    modules = graph.find_upstream_modules(f"gogooku3.stages.{stage}") | {
        f"gogooku3.stages.{stage}",
        "gogooku3.numerics",
    }
    files = set()
    for module in modules:
        if not module.startswith(UNHASHED):
            path = SOURCE / Path(*module.split("."))
            files.add(path / "__init__.py" if path.is_dir() else path.with_suffix(".py"))
    return files


@pytest.mark.parametrize("stage", STAGES)
def test_every_file_that_a_stage_imports_is_hashed(stage: str) -> None:
    listed = code(stage)
    unhashed = [f for f in imported(stage) if not any(f == entry or entry in f.parents for entry in listed)]
    assert unhashed == []


@pytest.mark.parametrize("stage", STAGES)
def test_nothing_is_hashed_that_a_stage_does_not_import(stage: str) -> None:
    used = imported(stage)
    idle = [entry for entry in code(stage) if not any(f == entry or entry in f.parents for f in used)]
    assert idle == []


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_says_what_it_does_and_depends_on_the_locked_runtime(stage: str) -> None:
    definition = STAGES[stage].get("do", STAGES[stage])
    assert definition["desc"]
    assert "requirements.lock" in definition["deps"]
