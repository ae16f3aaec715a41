"""Normalisation: across the stocks of a session, or over the training sessions; nothing else is fitted."""

from __future__ import annotations

import math

import numpy as np

from gogooku3.dataset.cross_section import MIN_STOCKS, mean
from gogooku3.dataset.elementwise import Floats, divide

_MAD_TO_STD = 1.4826
"""Standard deviation over median absolute deviation, for a normal distribution."""
_MEAN_DEVIATION_TO_STD = math.sqrt(math.pi / 2.0)
"""Standard deviation over mean absolute deviation, for a normal distribution."""


def robust_z(x_TS: Floats, clip: float) -> Floats:
    """(x − median) / (1.4826 MAD) over the stocks of each session, bounded by ±`clip`; NaN stays NaN.

    Where half of the values or more are equal, MAD is zero and √(π/2) times the mean absolute deviation from the
    median stands for it; where all are equal, each is exactly at the centre: 0. A session with fewer than
    `MIN_STOCKS` values is NaN.
    """
    n_T = (~np.isnan(x_TS)).sum(axis=1)
    deviation_TS = x_TS - _median(x_TS)[:, None]
    size_TS = np.abs(deviation_TS)
    spread_T = _MAD_TO_STD * _median(size_TS)
    spread_T = np.where(spread_T > 0, spread_T, _MEAN_DEVIATION_TO_STD * mean(size_TS))
    z_TS = np.where(spread_T[:, None] > 0, divide(deviation_TS, spread_T[:, None]), deviation_TS)
    return np.where(n_T[:, None] >= MIN_STOCKS, np.clip(z_TS, -clip, clip), np.nan)


def fit(values_T: Floats) -> dict[str, float]:
    """Mean and population standard deviation of the known values; 0 and 1 where there is nothing to fit."""
    known = values_T[~np.isnan(values_T)]
    if known.size == 0:
        return {"mean": 0.0, "std": 1.0}
    std = float(known.std())
    return {"mean": float(known.mean()), "std": std if std > 0 else 1.0}


def standardise(values: Floats, fitted: dict[str, float], clip: float) -> Floats:
    """(x − mean) / std, bounded by ±`clip`; NaN stays NaN."""
    return np.clip((values - fitted["mean"]) / fitted["std"], -clip, clip)


def _median(x_TS: Floats) -> Floats:
    """[T] median of the known values; NaN where there is none."""
    ordered_TS = np.sort(x_TS, axis=1)  # NaN sorts to the end
    n_T = (~np.isnan(x_TS)).sum(axis=1)
    rows = np.arange(len(x_TS))
    below_T: Floats = ordered_TS[rows, np.maximum(n_T - 1, 0) // 2]
    above_T: Floats = ordered_TS[rows, np.minimum(n_T // 2, x_TS.shape[1] - 1)]
    return (below_T + above_T) / 2.0
