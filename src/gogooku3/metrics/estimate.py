"""Means that skip NaN, and point estimates with interval bounds in the form of the metrics JSON."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gogooku3.metrics.cross_section import Floats


def mean(values: Floats) -> float:
    """Mean of the values that are not NaN; NaN if there are none."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else math.nan


def number(value: float | np.floating | Floats) -> float | None:
    """A plain float for JSON; None if it is NaN."""
    return None if np.isnan(value) else float(value)


def estimate(value: float | np.floating | Floats, bounds: tuple[float, float]) -> dict[str, Any]:
    """A point estimate with its interval bounds, for JSON."""
    return {"value": number(value), "low": number(bounds[0]), "high": number(bounds[1])}
