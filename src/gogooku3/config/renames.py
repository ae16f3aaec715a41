"""Old names of parameter values, and later parameters: maps the parameter file of an earlier release to the schema."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from gogooku3.config.train import STAGES

FEATURE_SETS = {"core99": "core", "extended220": "extended", "full395": "full"}
"""`dataset.features`: names up to version 0.1.0, and current names."""

_CARD = {"license": "apache-2.0", "license_name": None, "license_link": None}
"""What every model card stated before section `card` existed."""

_TIER = {"metric": "mean_rank_ic", "target": None, "expectation": None, "hypothesis": None, "compared_with": "best"}
"""The objective of every tier before section `tier` existed."""

_RECIPE = {
    "schedule": {"warmup": 0.0, "decay": "constant", "last": 1.0},
    "gate_rate": 1.0,
    "average": 0.0,
    "accumulate": 1,
    "min_epochs": 0,
}
"""The parts of `train.recipe` that version 0.1.0 did not have. It applied weight decay to every parameter."""

_SEEDS = {
    "scheme": "single",
    "further_seeds": [2, 3],
    "stages": asdict(STAGES["single"]),
}
"""The parts of `train` that version 0.1.0 did not have: it trained one model."""

_BASELINES = {
    "mlp": {
        "hidden": [64, 32],
        "epochs": 20,
        "patience": 5,
        "learning_rate": 1.0e-3,
        "weight_decay": 0.01,
        "batch_rows": 2048,
        "seed": 0,
    },
    "decays": [0.5, 0.8, 0.9, 0.95],
}
"""The parts of `baselines` that version 0.1.0 did not have. It fitted one configuration of LightGBM."""

_CURVES = {"split": "plots/baselines.csv", "walk_forward": "plots/walk_forward.csv"}
"""`evaluation.stages.curves` by scheme, which version 0.1.0 did not have."""

_PORTFOLIO = {"impact": 0.0, "capital": None, "delisting_return": 0.0, "short": "all", "top_k": 50, "holding": 10}
"""The parts of `evaluation.portfolio` that version 0.1.0 did not have: a position without a next return earned 0, and
no portfolio was long-only: these are qlib's values."""


def current(tree: Any) -> Any:
    """The parameters with current names and sections; a tree that has them is unchanged."""
    match tree:
        case {"dataset": {"features": str(name)} as dataset} if name in FEATURE_SETS:
            tree = tree | {"dataset": dataset | {"features": FEATURE_SETS[name]}}
    match tree:
        case {"tier": str(name)}:
            tree = {"card": _CARD} | tree | {"tier": {"name": name} | _TIER}
    match tree:
        case {"train": {"recipe": dict(recipe), "phases": dict(phases)} as train} if "min_epochs" not in recipe:
            phases = {name: {"older": 1.0} | phase for name, phase in phases.items()}
            tree = tree | {"train": train | {"recipe": _RECIPE | recipe, "phases": phases}}
    match tree:
        case {"train": {"recipe": dict()} as train} if "scheme" not in train:
            tree = tree | {"train": _SEEDS | train}
    match tree:
        case {"evaluation": {"scheme": str(scheme), "stages": dict(stages)} as evaluation} if scheme in _CURVES:
            stages = {"curves": _CURVES[scheme]} | stages
            tree = tree | {"evaluation": evaluation | {"stages": stages}}
    match tree:
        case {"evaluation": {"portfolio": dict(portfolio)} as evaluation}:
            tree = tree | {"evaluation": evaluation | {"portfolio": _PORTFOLIO | portfolio}}
    match tree:
        case {"baselines": {"lightgbm": dict(lightgbm)} as baselines} if "mlp" not in baselines:
            tree = tree | {"baselines": _BASELINES | baselines | {"lightgbm": {"tries": 1} | lightgbm}}
    return tree
