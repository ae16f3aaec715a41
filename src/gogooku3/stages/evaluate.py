"""Stage `evaluate`: backtest and metrics of the model and its baselines on validation and test."""

from __future__ import annotations

from pathlib import Path

from gogooku3 import paths
from gogooku3.baselines.table import read_scores
from gogooku3.config import Params
from gogooku3.config.train import LAST_PHASE
from gogooku3.evaluation import splits
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.probe import prepare
from gogooku3.model.scoring import score
from gogooku3.model.weights import load
from gogooku3.panel.panel import read_panel
from gogooku3.panel.table import to_frame
from gogooku3.quotes.folder import read
from gogooku3.runtime.files import write_parquet


def run(params: Params) -> None:
    """Writes `data/predictions.parquet`, `metrics/` and `plots/`."""
    device = prepare(params.numerics)
    panel = read_panel(paths.DATASET)
    network = load(paths.model_of(LAST_PHASE)).to_device(device, params.numerics)
    inputs = PanelOnDevice(panel, network.architecture.backbone.window, device)
    rows = splits.span(panel)
    scores_TSP = score(network, inputs, rows.start, rows.stop - 1)
    baselines = read_scores(panel, paths.BASELINES)
    results = splits.measure(panel, scores_TSP, baselines, read(paths.QUOTES), params.evaluation)
    write_parquet(to_frame(panel, scores_TSP, rows.start), paths.PREDICTIONS)
    splits.write(results, Path())
