"""Means over what is known, and numbers as JSON holds them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gogooku3.metrics.cross_section import Floats


def mean(values: Floats) -> float:
    """Mean of the values that are not NaN; NaN when there is none."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else math.nan


def number(value: float | np.floating | Floats) -> float | None:
    """A plain float for JSON; None where it is undefined."""
    return None if np.isnan(value) else float(value)


def estimate(value: float | np.floating | Floats, bounds: tuple[float, float]) -> dict[str, Any]:
    """A value with the bounds of its interval, for JSON."""
    return {"value": number(value), "low": number(bounds[0]), "high": number(bounds[1])}
