"""Old names of parameter values: maps the parameter file of an earlier release to the current names."""

from __future__ import annotations

from typing import Any

FEATURE_SETS = {"core99": "core", "extended220": "extended", "full395": "full"}
"""`dataset.features`: names up to version 0.1.0, and current names."""


def current(tree: Any) -> Any:
    """The parameters with current names; a tree without old names is unchanged."""
    match tree:
        case {"dataset": {"features": str(name)} as dataset} if name in FEATURE_SETS:
            return tree | {"dataset": dataset | {"features": FEATURE_SETS[name]}}
    return tree
