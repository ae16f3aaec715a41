"""Plans near the edges of what is possible, and a run of all stages in this process at the smallest size."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from omegaconf import OmegaConf

from gogooku3 import config
from gogooku3.errors import ConfigError, UserError
from gogooku3.stages.__main__ import run_stage
from gogooku3.training.phases import PHASES

ROOT = Path(__file__).parents[2]
Tree = dict[str, Any]

TINY = {
    "numerics.threads": 1,
    "quotes.stocks": 12,
    "quotes.start": "2021-01-04",
    "quotes.end": "2022-08-31",
    "quotes.listed_later": 0.0,
    "quotes.delisted": 0.0,
    "quotes.suspended": 0.0,
    "quotes.sectors": 2,
    "quotes.cluster_size": 3,
    "dataset.horizons": [1, 5],
    "dataset.graph": {"window": 20, "neighbours": 3, "refresh": 20},
    "dataset.split": {
        "train_from": "2021-12-20",
        "validation_from": "2022-06-01",
        "test_from": "2022-07-15",
        "embargo": 5,
    },
    "model.backbone": {"window": 4, "hidden_size": 2, "heads": 1, "dropout": 0.1},
    "model.adaptive_norm": {"components": 1, "slice_length": 2},
    "model.graph.heads": 1,
    "train.recipe.batch_size": 240,
    "train.recipe.batch_stocks": 12,
    "train.recipe.loss.horizons": [1.0, 1.0],
    "train.phases": {phase: {"epochs": 1, "learning_rate": 1e-3, "older": 1.0} for phase in PHASES},
    "baselines.lightgbm.rounds": 5,
    "baselines.lightgbm.leaf_rows": 20,
    "evaluation.portfolio.max_weight": None,
    "evaluation.quantiles": 3,
    "evaluation.bootstrap.draws": 100,
    "evaluation.walk_forward": {"train": 60, "validation": 20, "test": 15, "expanding": False, "folds": [1, 2]},
}
"""A plan that works: 400 sessions of 12 stocks, with 20 sessions or more of validation and test."""

EDGES: dict[str, list[Any]] = {
    "numerics.shares": [2, 12, 13],
    "quotes.stocks": [2, 5, 9, 10, 13],
    "quotes.end": ["2021-06-30", "2022-07-25", "2022-08-12", "2022-08-15", "2022-08-16"],
    "quotes.listed_later": [0.2, 0.5],
    "quotes.delisted": [0.2, 0.5],
    "quotes.suspended": [0.02, 0.1, 0.5],
    "quotes.sectors": [1, 33],
    "quotes.cluster_size": [1, 100],
    "quotes.splits": [0.0, 30.0],
    "quotes.planted.slow": [0.0, 0.5],
    "quotes.planted.neighbours": [0.0, 0.5],
    "dataset.clip": [1e-3, 1e300],
    "dataset.horizons": [[1, 2], [1, 14], [1, 40]],
    "dataset.split.embargo": [5, 14, 40, 200],
    "dataset.graph.window": [60, 330, 340, 1000],
    "dataset.graph.neighbours": [1, 11, 12, 50],
    "dataset.graph.refresh": [1, 1000],
    "dataset.split.train_from": ["2021-01-04", "2022-05-02", "2022-05-23"],
    "dataset.split.validation_from": ["2022-01-20", "2022-06-10", "2022-06-20", "2022-07-01"],
    "dataset.split.test_from": ["2022-07-01", "2022-08-01", "2022-08-03", "2022-09-30"],
    "model.backbone.window": [2, 12, 400],
    "model.backbone.hidden_size": [1, 3, 100_000],
    "model.backbone.dropout": [0.0, 0.99],
    "train.recipe.seed": [-1, 2**70],
    "train.recipe.batch_size": [12, 24, 1200, 1284, 10_000],
    "train.recipe.batch_stocks": [2, 3, 11, 13, 120],
    "train.recipe.weight_decay": [0.0],
    "train.recipe.gradient_clip": [1e-9, 1e9],
    "train.recipe.schedule.warmup": [0.99],
    "train.recipe.schedule": [{"warmup": 0.5, "decay": "cosine", "last": 0.0}],
    "train.recipe.gate_rate": [1e-6, 1e3],
    "train.recipe.average": [0.5, 0.9999],
    "train.recipe.accumulate": [2, 1000],
    "train.recipe.min_epochs": [100],
    "train.phases.gat.older": [0.0, 10.0],
    "train.recipe.patience": [1],
    "train.recipe.loss": [
        {"sharpe": 0.0, "rank_ic": 1.0, "ic": 0.0, "horizons": [1.0, 0.0]},
        {"sharpe": 0.0, "rank_ic": 0.0, "ic": 1.0, "horizons": [0.0, 1.0]},
        {"sharpe": 1.0, "rank_ic": 0.0, "ic": 0.0, "horizons": [1.0, 1.0]},
    ],
    "baselines.rows": [1, 10, 200],
    "baselines.ridge.penalty": [1e-12, 1e12],
    "baselines.lightgbm.leaf_rows": [1, 100_000],
    "baselines.lightgbm.leaves": [2],
    "baselines.lightgbm.feature_share": [1e-6, 1.0],
    "baselines.reversal": ["ret_999", "weekday_sin"],
    "baselines.momentum": ["mom_999", "ret_1"],
    "evaluation.portfolio.horizon": [1],
    "evaluation.portfolio.delay": [0, 2, 10, 11, 30, 500],
    "evaluation.portfolio.cost_bps": [0.0, 1000.0, 20_000.0],
    "evaluation.portfolio.borrow_bps": [0.0, 10_000.0],
    "evaluation.portfolio.max_turnover": [1e-6, 1e6],
    "evaluation.portfolio.max_weight": [1e-6, 0.05, 0.5],
    "evaluation.portfolio.sector_neutral": [True],
    "evaluation.portfolio.participation": [1e-6, 1.0],
    "evaluation.portfolio.impact": [1.0],
    "evaluation.portfolio.capital": [1.0, 1e15],
    "evaluation.portfolio.delisting_return": [-1.0, 1.0],
    "evaluation.portfolio.short": ["lendable"],
    "evaluation.portfolio.top_k": [1, 5000],
    "evaluation.portfolio.holding": [1, 5000],
    "evaluation.quantiles": [2, 12, 13],
    "evaluation.bootstrap.draws": [10**12],
    "evaluation.bootstrap.mean_block": [1, 10_000],
    "evaluation.bootstrap.seed": [-1, 2**70],
    "evaluation.walk_forward.train": [1, 10, 100, 300],
    "evaluation.walk_forward.validation": [1, 10, 40],
    "evaluation.walk_forward.test": [1, 10, 25],
    "evaluation.walk_forward.expanding": [True],
    "evaluation.walk_forward.folds": [[1], [2], [1, 3], [9]],
    "evaluation.scheme": ["walk_forward"],
}
"""Values of parameters within, at and beyond the edge, most of them valid on their own."""

CHANGES = [(key, value) for key, values in EDGES.items() for value in values]


@dataclass(frozen=True)
class End:
    """How a plan ended."""

    stage: str | None
    """The stage that refused it; None: all stages ran."""
    error: UserError | None


def plans(most: int) -> SearchStrategy[dict[str, Any]]:
    """Changes of up to `most` parameters."""
    return st.lists(st.sampled_from(CHANGES), max_size=most, unique_by=lambda change: change[0]).map(dict)


def tree_of(changes: dict[str, Any]) -> Tree:
    """The content of params.yaml of the tiny plan with some changes, as `dvc exp run -S` composes it."""
    tree = copy.deepcopy(_demo())
    for name, value in (TINY | changes).items():
        *path, last = name.split(".")
        section = tree
        for part in path:
            section = section[part]
        section[last] = copy.deepcopy(value)
    evaluation = tree["evaluation"]
    if evaluation["scheme"] == "walk_forward":
        folds = evaluation["walk_forward"]["folds"]
        evaluation["stages"] = {"schemes": ["walk_forward"], "folds": folds, "results": "metrics/walk_forward.json"}
        evaluation["stages"]["curves"] = "plots/walk_forward.csv"
    return tree


@cache
def _demo() -> Tree:
    content = OmegaConf.to_container(OmegaConf.load(ROOT / "params.yaml"))
    assert isinstance(content, dict)
    return content  # type: ignore[return-value]


def commands(params: config.Params) -> list[tuple[str, ...]]:
    """The stages in the order of `dvc repro`."""
    folds = [str(number) for number in params.evaluation.stages.folds]
    walk: list[tuple[str, ...]] = [("plan",)] if folds else []
    walk += [(stage, number) for number in folds for stage in ("fold", "fold_baselines")]
    walk += [("join",)] if folds else []
    first = [("quotes",), ("dataset",), ("quality",), ("parent",)]
    phases = [("train", phase) for phase in PHASES]
    last = [("baselines",), ("evaluate",), ("attribution",)]
    return [*first, *phases, *last, *walk, ("report",), ("package",)]


def run(tree: Tree, folder: Path, chdir: Callable[[Path], None]) -> End:
    """Runs all stages in a folder; any other exception than a `UserError` is a fault and propagates."""
    (folder / "params.yaml").write_text(yaml.safe_dump(tree, sort_keys=False))
    chdir(folder)
    try:
        todo = commands(config.parse(tree))
    except ConfigError as error:
        return End("schema", error)
    for command in todo:
        try:
            run_stage(*command)
        except UserError as error:
            return End(" ".join(command), error)
    return End(None, None)
