"""Outputs of a run over six months, made by the stages' code, for a model with known skill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from gogooku3.config import Params
from gogooku3.config.train import LAST_PHASE
from gogooku3.dataset.contents import CONTENTS, write_frame
from gogooku3.dataset.schema import Column, Schema
from gogooku3.evaluation.baseline_comparison import compare_with_baselines
from gogooku3.evaluation.details import details
from gogooku3.evaluation.evaluate import evaluate
from gogooku3.evaluation.plots import write_plots
from gogooku3.metrics.split_file import content_of
from gogooku3.package.lineage import write_lineage
from gogooku3.report.model_pair import Pair, Parameter, Side, compare
from gogooku3.report.page import page
from gogooku3.report.results import Results, WalkForward, read_results
from gogooku3.runtime.files import write_csv, write_json, write_parquet

from ..evaluation.conftest import BOOTSTRAP, HORIZONS, PORTFOLIO, market, outcome_of

SESSIONS, STOCKS = 130, 40

_CELL = {"value": 0.25, "low": -0.125, "high": 0.5}
_LOSS: dict[str, Any] = {"mean_rank_ic": _CELL, "rank_ic": {"1": _CELL, "5": _CELL}}
_PHASES = {"baseline": _LOSS | {"gain": None}, "gat": _LOSS | {"gain": _LOSS}}
ATTRIBUTION: dict[str, Any] = {
    "split": "validation",
    "families": {"volatility": {"features": 12, "selection": 0.171, "loss": _LOSS}},
    "everything": _LOSS,
    "attention": [0.5, 0.3, 0.2],
    "neighbours": {
        "own": 0.38,
        "kinds": {"same sector": {"edges": 0.41, "attention": 0.35}},
        "emptied": {"score_change": 0.12, "loss": _LOSS},
        "permuted": {"score_change": 0.15, "loss": _LOSS},
    },
    "phases": {"validation": _PHASES, "test": _PHASES},
}
"""Made-up content of `metrics/attribution.json`."""
_FOLD = {
    "fold": 1,
    "test": {"first": "2023-05-01", "last": "2023-07-28"},
    "sharpe": _CELL,
    "annual_return": 0.125,
    "mean_rank_ic": _CELL,
    "model_less_lightgbm": _CELL,
}


def quality(findings: list[dict[str, Any]]) -> dict[str, Any]:
    """The parts of `data_quality.json` that the page shows."""
    months = [f"2023-{month:02d}" for month in range(1, 13)]
    return {
        "sound": not findings,
        "faults": len(findings),
        "notes": 0,
        "findings": findings,
        "dataset": {
            "rows": 10_000,
            "stocks": STOCKS,
            "sessions": 250,
            "first": "2023-01-04",
            "last": "2023-12-29",
            "features": 1,
        },
        "months": [{"month": month, "sessions": 20, "bars": 780, "expected_bars": 800} for month in months],
    }


def lay_out(
    root: Path,
    params: Params,
    *,
    strength: float = 0.3,
    rival: float = 3.0,
    portfolio: dict[str, Any] | None = None,
    findings: list[dict[str, Any]] | None = None,
) -> Params:
    """Writes the outputs of the stages before `report`.

    Args:
        root: an empty folder.
        params: parameters, of which the evaluation is changed.
        strength: correlation of each session's return with the signal that the scores hold two sessions of.
        rival: noise in the scores of the baselines, in standard deviations of the model's scores.
        portfolio: portfolio parameters to change.
        findings: data quality findings.

    Returns:
        The parameters of the run.
    """
    traded = replace(PORTFOLIO, **({"horizon": 1, "borrow_bps": 50.0} | (portfolio or {})))
    evaluation = replace(params.evaluation, portfolio=traded, quantiles=5, bootstrap=BOOTSTRAP)
    signal, targets = market(strength=strength, sessions=SESSIONS, stocks=STOCKS)
    scores = signal + np.roll(signal, -1, axis=0)  # of the return after the next one too, which remains after a delay
    outcome = outcome_of(targets)
    names = ("ridge", "lightgbm", "reversal", "momentum")
    noise = np.random.default_rng(1).standard_normal((len(names), *scores.shape))
    model = evaluate(scores, outcome, evaluation)
    beside = details(model, scores, outcome, outcome.market_state, evaluation)
    rivals = {name: scores + rival * noise[place] for place, name in enumerate(names)}
    table, tracks = compare_with_baselines(model, scores, rivals, outcome, evaluation)

    dates = np.repeat(outcome.sessions.astype("datetime64[D]"), STOCKS)
    codes = np.tile([f"{1300 + place}" for place in range(STOCKS)], SESSIONS)
    key = {"Date": dates, "Code": codes}
    schema = Schema((Column("ret_1", "returns", 1, "stock", "", "float32"),), HORIZONS, 8)
    columns = {f"target_{h}": targets[..., place].astype(np.float32).ravel() for place, h in enumerate(HORIZONS)}
    (root / "data/dataset/targets").mkdir(parents=True)
    entry = write_frame(pl.DataFrame(key | columns), root / "data/dataset/targets/2023-05.parquet")
    write_json({"targets/2023-05.parquet": entry}, root / "data/dataset" / CONTENTS)
    write_json(schema.as_json(), root / "data/dataset/schema.json")
    spans = {
        "train": {"first": "2023-01-04", "last": "2023-03-10", "sessions": 40},
        "validation": {"first": "2023-03-20", "last": "2023-04-20", "sessions": 20},
        "test": {"first": str(dates[0]), "last": str(dates[-1]), "sessions": SESSIONS},
    }
    write_json({"embargo": 5} | spans, root / "data/dataset/split.json")
    columns = {f"score_{h}": scores[..., place].ravel() for place, h in enumerate(HORIZONS)}
    write_parquet(pl.DataFrame(key | columns), root / "data/predictions.parquet")
    listed = pl.DataFrame({"Code": codes[:STOCKS], "Sector33": ["Foods", "Mining"] * (STOCKS // 2)})
    (root / "data/quotes").mkdir()
    write_parquet(listed, root / "data/quotes/listed.parquet")
    for split in ("validation", "test"):
        write_json(content_of(model.metrics), root / f"metrics/{split}.json")
        write_json(beside, root / f"metrics/details/{split}.json")
        write_csv(model.sessions, root / f"metrics/sessions/{split}.csv")
    write_json({"validation": table, "test": table}, root / "metrics/baselines.json")
    write_plots(model, tracks, root / "plots")
    curve = pl.DataFrame(
        {
            "epoch": [-1, 0, 1],
            "train_loss": [None, 1.5, 1.2],
            "validation_rank_ic": [0.04, 0.05, 0.06],
            "kept": [0, 0, 1],
        }
    )
    others = {"adaptive_norm": curve.head(0), "finetune": curve.head(2).with_columns(kept=pl.Series([1, 0]))}
    for phase in asdict(params.train.phases):
        write_csv(others.get(phase, curve), root / f"plots/training/{phase}.csv")
    write_json(quality(findings or []), root / "reports/data_quality.json")
    domain = {"exact_on": "x86-64-v3", "numerics": {"threads": 2}}
    write_json({"environment": domain}, root / f"models/{LAST_PHASE}/history.json")
    (root / f"models/{LAST_PHASE}/model.safetensors").write_bytes(b"weights")
    (root / "models/parent").mkdir()
    write_lineage(None, root / "models/parent")
    return replace(params, evaluation=evaluation)


@pytest.fixture
def run(demo: Params, tmp_path: Path) -> Callable[..., Results]:
    """Writes a run with changed arguments, and reads it."""

    def read(**changes: Any) -> Results:
        root = tmp_path / "run"
        return read_results(root, lay_out(root, demo, **changes))

    return read


@pytest.fixture(scope="session")
def skilled(demo: Params, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Results of a model that earns and beats its baselines."""
    root = tmp_path_factory.mktemp("skilled")
    return read_results(root, lay_out(root, demo))


@pytest.fixture(scope="session")
def drawn(skilled: Results) -> str:
    """Its page."""
    return page(skilled)


@pytest.fixture(scope="session")
def drawn_whole(skilled: Results) -> str:
    """The same page with attribution and a walk-forward of two folds with a gap between them."""
    baselines = [{"name": name, **table} for name, table in skilled.baselines.items()]
    metrics = skilled.test | {"gaps": [{}], "baselines": baselines, "folds": [_FOLD, _FOLD | {"fold": 2}]}
    return page(replace(skilled, attribution=ATTRIBUTION, walk_forward=WalkForward(metrics, skilled.tracks)))


@pytest.fixture(scope="session")
def pair(skilled: Results) -> Pair:
    """The model paired with one that is a session late."""
    late = skilled.sessions.with_columns(pl.col("net", "^rank_ic_.*$").shift(1, fill_value=float("nan")))
    metrics = {"validation": skilled.validation, "test": skilled.test}
    old, new = (
        Side(name, None, metrics, {"validation": sessions, "test": sessions})
        for name, sessions in (("tier1@v1.0.0", late), ("workspace", skilled.sessions))
    )
    return compare(old, new, [Parameter("model.graph.heads", 2, 4)], BOOTSTRAP)
