"""Stage `package`: builds the model package of the tier, with golden predictions and a manifest."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from gogooku3 import paths
from gogooku3.config import Params
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.probe import prepare
from gogooku3.model.weights import load
from gogooku3.package.build import build, kept_epoch
from gogooku3.package.lineage import read_lineage
from gogooku3.panel.panel import read_panel
from gogooku3.runtime.files import replaced


def run(params: Params) -> None:
    """Writes `models/package/`."""
    device = prepare(params.numerics)
    trained = Path(params.train.stages.model)
    model = load(trained).to_device(device, params.numerics)
    inputs = PanelOnDevice(read_panel(paths.DATASET), model.architecture.backbone.window, device)
    parent = read_lineage(paths.PARENT)
    kept = {phase: kept_epoch(paths.learning_curve(phase)) for phase in asdict(params.train.phases)}
    with replaced(paths.PACKAGE) as folder:
        build(model, inputs, trained, paths.DATASET, paths.METRICS, kept, params, parent, folder)
