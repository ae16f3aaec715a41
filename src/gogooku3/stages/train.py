"""Stage `train`: one of the four phases, from the weights that the phase before left."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from gogooku3.config import Params
from gogooku3.dataset.panel import read_panel
from gogooku3.errors import ConfigError
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.network import Network
from gogooku3.model.weights import WEIGHTS, fill, read_tensors, save, write_tensors
from gogooku3.numerics import prepare_torch
from gogooku3.training.loop import train
from gogooku3.training.phases import PHASES

STATE = "state.safetensors"


def run(params: Params, phase_name: str = "") -> None:
    """Writes `models/<phase>/` and the phase's curve under `plots/training/`."""
    if phase_name not in PHASES:
        raise ConfigError(f"`{phase_name}` is no phase of training", hint=f"the phases are {', '.join(PHASES)}")
    device = prepare_torch(params.numerics)
    phase = PHASES[phase_name]
    panel = read_panel(Path("data/dataset"))
    architecture = phase.architecture(panel.abi, len(panel.features), list(panel.horizons), params.model)
    network = Network(architecture, params.train.recipe.seed)
    state: dict[str, Tensor] = {}
    if phase.previous is not None:
        before = Path("models") / phase.previous
        added = tuple(set(phase.blocks) - set(PHASES[phase.previous].blocks))
        fill(network, read_tensors(before / WEIGHTS), before / WEIGHTS, new_blocks=added)
        state = read_tensors(before / STATE)

    inputs = PanelOnDevice(panel, params.model.backbone.window, device)
    trained = train(
        network.to(device),
        inputs,
        phase.name,
        getattr(params.train.phases, phase.name),
        params.train.recipe,
        state,
    )

    network.load_state_dict(trained.weights)
    target = Path("models") / phase.name
    save(network, target)
    write_tensors(trained.state, target / STATE)
    trained.history.write(target / "history.json", Path("plots/training") / f"{phase.name}.csv")
