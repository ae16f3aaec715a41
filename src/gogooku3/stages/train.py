"""Stage `train`: one of the four phases, from the weights that the phase before left, or those of a release."""

from __future__ import annotations

from pathlib import Path

from gogooku3.config import Params
from gogooku3.dataset.panel import read_panel
from gogooku3.dataset.schema import Schema
from gogooku3.errors import ConfigError
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.network import Architecture
from gogooku3.model.weights import save, write_tensors
from gogooku3.numerics import environment, prepare_torch
from gogooku3.package.lineage import read_lineage
from gogooku3.training.checkpoints import Checkpoints
from gogooku3.training.identity import identity
from gogooku3.training.loop import train
from gogooku3.training.phases import PHASES, Phase
from gogooku3.training.start import STATE, require_match, start

DATASET = Path("data/dataset")
MODELS = Path("models")
PARENT = MODELS / "parent"
LOGS = Path("logs/training")


def run(params: Params, phase_name: str = "") -> None:
    """Writes `models/<phase>/` and the phase's curve under `plots/training/`."""
    if phase_name not in PHASES:
        raise ConfigError(f"`{phase_name}` is no phase of training", hint=f"the phases are {', '.join(PHASES)}")
    device = prepare_torch(params.numerics)
    phase, recipe = PHASES[phase_name], params.train.recipe
    pace = getattr(params.train.phases, phase.name)
    schema = Schema.read(DATASET / "schema.json")

    def architecture(of: Phase) -> Architecture:
        return of.architecture(schema.abi, len(schema.features), list(schema.horizons), params.model)

    parent = read_lineage(PARENT)
    if parent is not None:
        require_match(PARENT, parent.tag, architecture(PHASES["finetune"]), schema)
    network, state = start(phase, architecture(phase), recipe.seed, MODELS, None if parent is None else PARENT)
    domain = environment(params.numerics)
    inputs = identity(architecture(phase), recipe, pace, domain, _read(phase))
    checkpoints = Checkpoints(MODELS / phase.name, inputs)
    panel = PanelOnDevice(read_panel(DATASET), params.model.backbone.window, device)
    trained = train(network.to(device), panel, phase.name, pace, recipe, state, checkpoints, LOGS)

    network.load_state_dict(trained.weights)
    with checkpoints.delivered() as folder:
        save(network, folder)
        write_tensors(trained.state, folder / STATE)
        trained.history.write(folder / "history.json", domain)
        trained.history.write_curve(Path("plots/training") / f"{phase.name}.csv")


def _read(phase: Phase) -> list[Path]:
    """The files that a phase reads; of the dataset those that hold the hashes of all others."""
    folders = [PARENT, *([MODELS / phase.previous] if phase.previous else [])]
    return sorted([*DATASET.glob("*.json"), *(path for folder in folders for path in folder.glob("[!.]*"))])
