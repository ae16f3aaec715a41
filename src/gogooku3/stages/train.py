"""Stage `train`: trains one of the four phases, starting from the previous phase's weights or a released base model."""

from __future__ import annotations

from dataclasses import replace

from gogooku3 import paths
from gogooku3.config import Params
from gogooku3.config.train import LAST_PHASE
from gogooku3.dataset.schema import Schema
from gogooku3.errors import ConfigError
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.probe import prepare
from gogooku3.package.lineage import read_lineage
from gogooku3.panel.panel import read_panel
from gogooku3.training.distributed import Group
from gogooku3.training.launch import run_distributed
from gogooku3.training.phases import PHASES, Phase
from gogooku3.training.start import require_match
from gogooku3.training.task import Task


def run(params: Params, phase_name: str = "") -> None:
    """Writes `models/<phase>/` and the learning curve in `plots/training/`; runs `numerics.processes` processes."""
    if phase_name not in PHASES:
        raise ConfigError(f"`{phase_name}` is not a training phase", hint=f"use one of {', '.join(PHASES)}")
    run_distributed(params.numerics, lambda group: _train(params, PHASES[phase_name], group), "train", phase_name)


def _train(params: Params, phase: Phase, group: Group) -> None:
    device = prepare(params.numerics)
    parent = read_lineage(paths.PARENT)
    task = Task(
        phase,
        params,
        params.train.recipe,
        Schema.read(paths.DATASET / "schema.json"),
        paths.MODELS,
        None if parent is None else paths.PARENT,
        # the dataset's JSON files contain the hashes of its other files
        [*paths.DATASET.glob("*.json"), *paths.PARENT.glob("[!.]*")],
    )
    if parent is not None:
        last = replace(task, phase=PHASES[LAST_PHASE])
        require_match(paths.PARENT, parent.tag, last.architecture, task.schema)
    with group.main_first():  # rank 0 writes the memory-mapped arrays if they do not exist
        panel = PanelOnDevice(read_panel(paths.DATASET), params.model.backbone.window, device)
    task.run(panel, paths.TRAINING_LOGS, paths.learning_curve(phase.name), group)
