"""Stage `train`: one of the four phases, from the weights that the phase before left, or those of a release."""

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
    """Writes `models/<phase>/` and the phase's curve under `plots/training/`, with as many processes as asked for."""
    if phase_name not in PHASES:
        raise ConfigError(f"`{phase_name}` is no phase of training", hint=f"the phases are {', '.join(PHASES)}")
    run_distributed(params.numerics, lambda group: _train(params, PHASES[phase_name], group), "train", phase_name)


def _train(params: Params, phase: Phase, group: Group) -> None:
    device = prepare(params.numerics)
    parent = read_lineage(paths.PARENT)
    task = Task(
        phase,
        params,
        Schema.read(paths.DATASET / "schema.json"),
        paths.MODELS,
        None if parent is None else paths.PARENT,
        # of the dataset the files that hold the hashes of all others
        [*paths.DATASET.glob("*.json"), *paths.PARENT.glob("[!.]*")],
    )
    if parent is not None:
        last = replace(task, phase=PHASES[LAST_PHASE])
        require_match(paths.PARENT, parent.tag, last.architecture, task.schema)
    with group.main_first():  # it lays the panel out where that is not done yet
        panel = PanelOnDevice(read_panel(paths.DATASET), params.model.backbone.window, device)
    task.run(panel, paths.TRAINING_LOGS, paths.learning_curve(phase.name), group)
