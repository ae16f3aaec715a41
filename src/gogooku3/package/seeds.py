"""Results by seed: the members of an ensemble, and their mean and standard deviation."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean, stdev
from typing import Any

ONE_SEED = "One seed: how much these results depend on it is not measured (`train.scheme=ensemble` measures it)."


def over_seeds(values: list[float | None]) -> str:
    """Mean ± standard deviation (n − 1) of the values that are defined, as text."""
    defined = [value for value in values if value is not None]
    return f"{fmean(defined):.3f} ± {stdev(defined):.3f}" if len(defined) > 1 else "undefined"


def members(metrics: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The estimates of a metric, such as `sharpe`, of each member, in the order of their seeds."""
    return [member[name] for member in metrics["members"]]


def gains(phase: Mapping[str, Any]) -> str:
    """Gain of a phase over the seeds, as text: mean ± standard deviation of the members' own gains of mean RankIC."""
    return over_seeds([member["mean_rank_ic"]["value"] for member in phase["seeds"]])
