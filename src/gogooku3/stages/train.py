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
from gogooku3.numerics import prepare_torch
from gogooku3.package.lineage import read_lineage
from gogooku3.training.loop import train
from gogooku3.training.phases import PHASES, Phase
from gogooku3.training.start import STATE, require_match, start

DATASET = Path("data/dataset")
MODELS = Path("models")
PARENT = MODELS / "parent"


def run(params: Params, phase_name: str = "") -> None:
    """Writes `models/<phase>/` and the phase's curve under `plots/training/`."""
    if phase_name not in PHASES:
        raise ConfigError(f"`{phase_name}` is no phase of training", hint=f"the phases are {', '.join(PHASES)}")
    device = prepare_torch(params.numerics)
    phase = PHASES[phase_name]
    schema = Schema.read(DATASET / "schema.json")

    def architecture(of: Phase) -> Architecture:
        return of.architecture(schema.abi, len(schema.features), list(schema.horizons), params.model)

    parent = read_lineage(PARENT)
    if parent is not None:
        require_match(PARENT, parent.tag, architecture(PHASES["finetune"]), schema)
    network, state = start(
        phase,
        architecture(phase),
        params.train.recipe.seed,
        MODELS,
        None if parent is None else PARENT,
    )
    inputs = PanelOnDevice(read_panel(DATASET), params.model.backbone.window, device)
    trained = train(
        network.to(device),
        inputs,
        phase.name,
        getattr(params.train.phases, phase.name),
        params.train.recipe,
        state,
    )

    network.load_state_dict(trained.weights)
    target = MODELS / phase.name
    save(network, target)
    write_tensors(trained.state, target / STATE)
    trained.history.write(target / "history.json", Path("plots/training") / f"{phase.name}.csv")
