"""Stage `ensemble`: joins the members to one model, whose score is the mean of theirs, each divided by its spread."""

from __future__ import annotations

from gogooku3 import paths
from gogooku3.config import Params
from gogooku3.config.train import LAST_PHASE
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.probe import prepare
from gogooku3.model.scoring import join
from gogooku3.model.weights import load_networks, save
from gogooku3.panel.panel import read_panel
from gogooku3.runtime.files import replaced


def run(params: Params) -> None:
    """Writes `models/ensemble/`: the members in the order of their seeds."""
    device = prepare(params.numerics)
    members = (paths.member(seed) / LAST_PHASE for seed in params.train.stages.members)
    networks = load_networks([paths.model_of(LAST_PHASE), *members])
    inputs = PanelOnDevice(read_panel(paths.DATASET), networks[0].architecture.backbone.window, device)
    with replaced(paths.ENSEMBLE) as folder:
        save(join([network.to_device(device, params.numerics) for network in networks], inputs), folder)
