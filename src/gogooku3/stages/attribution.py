"""Stage `attribution`: permutation importance of feature families, attention weights, gain of each phase."""

from __future__ import annotations

from gogooku3 import paths
from gogooku3.attribution.attribute import attribute
from gogooku3.config import Params
from gogooku3.dataset.schema import Schema
from gogooku3.model.ensemble import Model
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.probe import prepare
from gogooku3.model.scoring import join
from gogooku3.model.weights import load_networks
from gogooku3.panel.panel import read_panel
from gogooku3.progress import progress_bar
from gogooku3.runtime.files import write_csv, write_json


def run(params: Params) -> None:
    """Writes `metrics/attribution.json`, and the series of its charts to `plots/`."""
    device = prepare(params.numerics)
    panel, schema = read_panel(paths.DATASET), Schema.read(paths.DATASET / "schema.json")
    inputs = PanelOnDevice(panel, params.model.backbone.window, device)

    def load_phase(phase: str) -> Model:
        members = (paths.member(seed) / phase for seed in params.train.stages.members)
        networks = load_networks([paths.model_of(phase), *members])
        return join([network.to_device(device, params.numerics) for network in networks], inputs)

    with progress_bar() as show:
        attribution = attribute(load_phase, inputs, schema, params.train.seeds, params.evaluation.bootstrap.seed, show)
    write_json(attribution.table, paths.ATTRIBUTION)
    for name, frame in attribution.frames.items():
        write_csv(frame, paths.plot_of(name))
