"""`dvc.yaml` lists exactly the code and the libraries that each stage uses as dependencies."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from gogooku3.config import Params
from gogooku3.config.model import Model
from gogooku3.stages.__main__ import STAGES as RUNNABLE
from gogooku3.training.phases import PHASES

from .conftest import Workspace
from .imports import imported, libraries

ROOT = Path(__file__).parents[2]
LIBRARIES = "locks/libs.yaml"
PIPELINE: Any = OmegaConf.to_container(OmegaConf.load(ROOT / "dvc.yaml"))
STAGES = PIPELINE["stages"]


def code(stage: str) -> list[Path]:
    definition = STAGES[stage]
    listed = definition.get("do", definition)["deps"]
    return [ROOT / name for name in listed if name.startswith("src/")]


def test_the_runner_knows_the_stages_of_the_pipeline_and_no_other() -> None:
    assert sorted(STAGES) == sorted(RUNNABLE)


def test_every_phase_is_trained_measured_and_shown() -> None:
    trained = STAGES["train"]["foreach"]
    assert {name: phase["after"] for name, phase in trained.items()} == {
        phase.name: f"models/{phase.previous}" if phase.previous else "data/dataset" for phase in PHASES.values()
    }
    blocks = {field.name for field in fields(Model)}
    assert {name: {"backbone", phase["keeps"], phase["adds"]} for name, phase in trained.items()} == {
        phase.name: {"backbone", *phase.blocks} & blocks for phase in PHASES.values()
    }
    curves = {f"plots/training/{phase}.csv" for phase in PHASES}
    models = {f"models/{phase}/{name}" for phase in PHASES for name in ("config.json", "model.safetensors")}
    assert models - {*STAGES["attribution"]["deps"]} == set()
    assert curves - {*STAGES["report"]["deps"]} == set()
    assert curves == {*PIPELINE["plots"][0]["learning"]["y"]}


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
def test_every_stage_depends_on_the_libraries_that_it_computes_with_and_on_no_other(stage: str) -> None:
    definition = STAGES[stage].get("do", STAGES[stage])
    listed = [entry[LIBRARIES] for entry in definition["params"] if isinstance(entry, dict) and LIBRARIES in entry]
    assert listed == [sorted(libraries(stage))]
    assert "requirements.lock" not in definition["deps"]


def depends(stage: str, section: str) -> bool:
    """Whether a stage depends on parameters of a section: by name, or on the whole of `params.yaml`."""
    names = [
        name
        for entry in STAGES[stage].get("do", STAGES[stage]).get("params", [])
        for name in (entry if isinstance(entry, dict) else [entry])
    ]
    return "params.yaml" in names or any(name.split(".")[0] == section for name in names)


def test_only_the_package_depends_on_the_facts_of_the_card() -> None:
    assert [stage for stage in STAGES if depends(stage, "card")] == ["package"]


def test_the_page_depends_on_every_other_section() -> None:
    assert {field.name for field in fields(Params) if not depends("report", field.name)} == {"card"}


def test_the_versions_that_stages_depend_on_are_the_locked_ones() -> None:
    locked = dict(re.findall(r"^([^#=\s]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    assert OmegaConf.to_container(OmegaConf.load(ROOT / LIBRARIES)) == locked


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_says_what_it_does(stage: str) -> None:
    assert STAGES[stage].get("do", STAGES[stage])["desc"]


@pytest.mark.slow
@pytest.mark.parametrize(("library", "stale"), [("requests", False), ("torch", True)])
def test_another_version_of_a_library_makes_stages_stale_that_compute_with_it(
    library: str, stale: bool, small_run: Workspace, tmp_path: Path
) -> None:
    workspace = small_run.copy(tmp_path / "gogooku3")
    path = workspace.folder / LIBRARIES
    text, changes = re.subn(rf"^({library}): '.*'$", r"\1: '99.0'", path.read_text(), flags=re.MULTILINE)
    assert changes == 1
    path.write_text(text)
    status = workspace.run("dvc", "status").stdout
    changed = {line.removesuffix(":") for line in status.splitlines() if line and not line.startswith("\t")}
    trained = {f"train@{phase}" for phase in STAGES["train"]["foreach"]}
    assert changed == (
        trained | {"evaluate", "attribution", "package"} if stale else {"Data and pipelines are up to date."}
    )


@pytest.mark.slow
def test_another_licence_makes_only_the_package_stale(small_run: Workspace, tmp_path: Path) -> None:
    workspace = small_run.copy(tmp_path / "gogooku3")
    path = workspace.folder / "params.yaml"
    text, changes = re.subn("^  license: null$", "  license: mit", path.read_text(), flags=re.MULTILINE)
    assert changes == 1
    path.write_text(text)
    status = workspace.run("dvc", "status").stdout
    assert [line for line in status.splitlines() if line and not line.startswith("\t")] == ["package:"]
