"""What earlier versions called values of parameters: a released file that has such a name is read by today's."""

from __future__ import annotations

from typing import Any

FEATURE_SETS = {"core99": "core", "extended220": "extended", "full395": "full"}
"""`dataset.features`: names up to version 0.1.0, and today's."""


def current(tree: Any) -> Any:
    """The parameters of a released file by today's names; any other tree as it is."""
    match tree:
        case {"dataset": {"features": str(name)} as dataset} if name in FEATURE_SETS:
            return tree | {"dataset": dataset | {"features": FEATURE_SETS[name]}}
    return tree
