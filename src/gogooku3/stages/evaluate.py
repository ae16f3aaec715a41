"""Stage `evaluate`: backtest and metrics of the model and its baselines on validation and test."""

from __future__ import annotations

from gogooku3 import paths
from gogooku3.baselines.table import read_scores
from gogooku3.config import Params
from gogooku3.config.train import LAST_PHASE
from gogooku3.evaluation import checks
from gogooku3.evaluation.baseline_comparison import compare_with_baselines
from gogooku3.evaluation.evaluate import Outcome, evaluate
from gogooku3.evaluation.market import market_state_of, oracle_of
from gogooku3.evaluation.plots import write_plots
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.probe import prepare
from gogooku3.model.scoring import score
from gogooku3.model.weights import load
from gogooku3.panel.panel import read_panel
from gogooku3.panel.table import to_frame
from gogooku3.quotes.folder import read
from gogooku3.runtime.files import write_csv, write_json, write_parquet

SPLITS = ("validation", "test")


def run(params: Params) -> None:
    """Writes `data/predictions.parquet`, `metrics/` and `plots/`."""
    device = prepare(params.numerics)
    panel = read_panel(paths.DATASET)
    network = load(paths.model_of(LAST_PHASE)).to_device(device, params.numerics)
    inputs = PanelOnDevice(panel, network.architecture.backbone.window, device)
    first, last = panel.split["validation"][0], panel.split["test"][1]
    scores_TSP = score(network, inputs, first, last)
    quotes = read(paths.QUOTES)
    market_state = market_state_of(panel, quotes, first, last)
    span = slice(first, last + 1)
    checks.require_targets_match_bars(
        panel.y_TSH[span], panel.horizons, panel.sessions[span], panel.codes, market_state
    )
    baselines = read_scores(panel, paths.BASELINES)
    all_scores = {"the model": scores_TSP} | {name: scores[span] for name, scores in baselines.items()}
    for name, scores_of_both in all_scores.items():
        checks.require_all_stocks_scored(name, scores_of_both, panel.sessions[span], panel.codes, market_state)
    oracle_TSP = oracle_of(panel, quotes)

    results, tables = {}, {}
    for split in SPLITS:
        begin, end = panel.split[split][0], panel.split[split][1] + 1
        outcome = Outcome(
            panel.y_TSH[begin:end],
            panel.sessions[begin:end],
            panel.horizons,
            market_state.rows(begin - first, end - first),
        )
        scores_of_split = scores_TSP[begin - first : end - first]
        oracle_of_split = None if oracle_TSP is None else oracle_TSP[begin:end]
        results[split] = evaluate(scores_of_split, outcome, params.evaluation, oracle_of_split)
        baselines_of_split = {name: scores[begin:end] for name, scores in baselines.items()}
        tables[split] = compare_with_baselines(
            results[split], scores_of_split, baselines_of_split, outcome, params.evaluation
        )
    write_parquet(to_frame(panel, scores_TSP, first), paths.PREDICTIONS)
    for split, result in results.items():
        write_json(result.metrics, paths.metrics_of(split))
        write_csv(result.sessions, paths.sessions_of(split))
    write_json({split: table for split, (table, _) in tables.items()}, paths.BASELINE_METRICS)
    write_plots(results["test"], tables["test"][1], paths.PLOTS)
