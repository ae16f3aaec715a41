"""Normalisation (scaling): robust z-score per session, or mean and deviation fitted on the training sessions only."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from gogooku3.dataset.cross_section import MIN_STOCKS, mean
from gogooku3.dataset.elementwise import Floats

_MAD_TO_STD = 1.4826
"""Standard deviation over median absolute deviation, for a normal distribution."""
_MEAN_DEVIATION_TO_STD = math.sqrt(math.pi / 2.0)
"""Standard deviation over mean absolute deviation, for a normal distribution."""


def robust_z(x_TS: npt.NDArray[np.floating], clip: float) -> Floats:
    """Robust z-score (x − median) / (1.4826 MAD) over the stocks of each session, clipped at ±`clip`; NaN stays NaN.

    If half of the values or more are equal, the MAD is zero and √(π/2) times the mean absolute deviation from the
    median replaces it; if all are equal, each result is 0. A session with fewer than `MIN_STOCKS` values is NaN.
    """
    ordered_TS = np.sort(x_TS, axis=1)  # NaN sorts to the end
    n_T = np.count_nonzero(~np.isnan(ordered_TS), axis=1)
    centre_T, size_T = _median_and_mad(ordered_TS, n_T)
    deviation_TS = x_TS - centre_T[:, None]
    spread_T = _MAD_TO_STD * size_T
    level_T = np.flatnonzero(spread_T == 0)
    spread_T[level_T] = _MEAN_DEVIATION_TO_STD * mean(np.abs(deviation_TS[level_T]))
    spread_T[spread_T == 0] = 1.0  # all values are equal and all deviations zero
    spread_T[n_T < MIN_STOCKS] = np.nan
    deviation_TS /= spread_T[:, None]
    return np.clip(deviation_TS, -clip, clip, out=deviation_TS)


def fit(values_T: Floats) -> dict[str, float]:
    """Mean and population standard deviation of the known values; 0 and 1 if there are none."""
    known = values_T[~np.isnan(values_T)]
    if known.size == 0:
        return {"mean": 0.0, "std": 1.0}
    std = float(known.std())
    return {"mean": float(known.mean()), "std": std if std > 0 else 1.0}


def standardise(values: Floats, fitted: dict[str, float], clip: float) -> Floats:
    """z-score (x − mean) / std, clipped at ±`clip`; NaN stays NaN."""
    return np.clip((values - fitted["mean"]) / fitted["std"], -clip, clip)


def _median_and_mad(ordered_TS: npt.NDArray[np.floating], n_T: npt.NDArray[np.intp]) -> tuple[Floats, Floats]:
    """[T] median and median absolute deviation (MAD) of sorted rows whose first `n_T` values are known."""
    rows = np.arange(len(ordered_TS))
    below_T = ordered_TS[rows, np.maximum(n_T - 1, 0) // 2].astype(np.float64)
    above_T = ordered_TS[rows, np.minimum(n_T // 2, ordered_TS.shape[1] - 1)].astype(np.float64)
    centre_T = (below_T + above_T) / 2.0
    lower_T, upper_T = (_kth_deviation(ordered_TS, n_T, centre_T, k_T) for k_T in ((n_T + 1) // 2, n_T // 2 + 1))
    return centre_T, (lower_T + upper_T) / 2.0


def _kth_deviation(
    ordered_TS: npt.NDArray[np.floating], n_T: npt.NDArray[np.intp], centre_T: Floats, k_T: npt.NDArray[np.intp]
) -> Floats:
    """[T] the k-th smallest absolute deviation from the centre.

    The k values nearest to the centre are consecutive in the sorted row: bisection finds the first of them, without
    sorting the deviations.
    """
    rows, last = np.arange(len(ordered_TS)), ordered_TS.shape[1] - 1

    def below_and_above(first_T: npt.NDArray[np.intp]) -> tuple[Floats, Floats]:
        low_T = ordered_TS[rows, np.clip(first_T, 0, last)]
        high_T = ordered_TS[rows, np.clip(first_T + k_T - 1, 0, last)]
        return centre_T - low_T, high_T - centre_T

    low_T, high_T = np.zeros_like(n_T), np.maximum(n_T - k_T, 0)
    while (low_T < high_T).any():
        middle_T = (low_T + high_T) // 2
        below_T, above_T = below_and_above(middle_T)
        enough_T = above_T >= below_T
        high_T = np.where(enough_T, middle_T, high_T)
        low_T = np.where(enough_T, low_T, np.minimum(middle_T + 1, high_T))
    best_T = np.maximum(*below_and_above(low_T))
    return np.where(low_T > 0, np.minimum(best_T, np.maximum(*below_and_above(low_T - 1))), best_T)
