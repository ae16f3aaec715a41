"""Stage `evaluate`: scores for validation and test, the metrics of both, and the series that DVC plots."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gogooku3.config import Params
from gogooku3.dataset.panel import Panel, read_panel
from gogooku3.evaluation.evaluate import evaluate
from gogooku3.evaluation.plots import write_plots
from gogooku3.files import write_json, write_parquet
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.scoring import score
from gogooku3.model.table import align, tabulate
from gogooku3.model.weights import load
from gogooku3.numerics import prepare_torch
from gogooku3.quotes.folder import read

SPLITS = ("validation", "test")


def run(params: Params) -> None:
    """Writes `data/predictions.parquet`, `metrics/` and `plots/`."""
    device = prepare_torch(params.numerics)
    panel = read_panel(Path("data/dataset"))
    network = load(Path("models/finetune")).to(device)
    inputs = PanelOnDevice(panel, network.architecture.backbone.window, device)
    first, last = panel.split["validation"][0], panel.split["test"][1]
    scores_TSP = score(network, inputs, first, last)
    oracle_TSP = _oracle(panel)

    results = {}
    for split in SPLITS:
        begin, end = panel.split[split]
        results[split] = evaluate(
            scores_TSP[begin - first : end + 1 - first],
            panel.y_TSH[begin : end + 1],
            panel.sessions[begin : end + 1],
            panel.horizons,
            params.evaluation,
            None if oracle_TSP is None else oracle_TSP[begin : end + 1],
        )
    write_parquet(tabulate(panel, scores_TSP, first), Path("data/predictions.parquet"))
    for split, result in results.items():
        write_json(result.metrics, Path("metrics") / f"{split}.json")
    write_plots(results["test"], Path("plots"))


def _oracle(panel: Panel) -> np.ndarray | None:
    """What a synthetic market's planted part foretells, [T, S, P]; None for a real market."""
    oracle = read(Path("data/quotes")).oracle
    return None if oracle is None else align(panel, oracle.scores, [f"oracle_{h}" for h in panel.horizons])
