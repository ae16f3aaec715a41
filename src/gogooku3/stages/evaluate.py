"""Stage `evaluate`: backtest and metrics of the model and its baselines on validation and test."""

from __future__ import annotations

from pathlib import Path

from gogooku3 import paths
from gogooku3.baselines.table import read_scores
from gogooku3.config import Params
from gogooku3.evaluation import splits
from gogooku3.evaluation.scores import Scores
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.probe import prepare
from gogooku3.model.scoring import score_members
from gogooku3.model.weights import load
from gogooku3.panel.panel import read_panel
from gogooku3.quotes.folder import read
from gogooku3.runtime.files import write_parquet


def run(params: Params) -> None:
    """Writes `data/predictions.parquet`, `metrics/` and `plots/`."""
    device = prepare(params.numerics)
    panel = read_panel(paths.DATASET)
    model = load(Path(params.train.stages.model)).to_device(device, params.numerics)
    inputs = PanelOnDevice(panel, model.architecture.backbone.window, device)
    rows = splits.span(panel)
    scores_TSP, members = score_members(model, inputs, rows.start, rows.stop - 1)
    scores = Scores(scores_TSP, dict(zip(params.train.seeds, members, strict=bool(members))))
    baselines = read_scores(panel, paths.BASELINES)
    results = splits.measure(panel, scores, baselines, read(paths.QUOTES), params.evaluation)
    write_parquet(scores.frame(panel, rows.start), paths.PREDICTIONS)
    splits.write(results, Path())
