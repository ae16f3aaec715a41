"""Rolling rank, quantile and median."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from gogooku3.dataset.elementwise import Floats, divide
from gogooku3.features.rolling.windows import known_count, where_known

_SORTED_AT_ONCE = 1 << 18
"""Values per block of sorted windows: a block fits into the processor's cache."""


def rank_of_last(x: Floats, window: int) -> Floats:
    """Share of the window's other values below the last one, ties count half; NaN if the last is unknown."""
    n = known_count(x, window)
    last = x[window - 1 :]
    doubled = np.zeros(last.shape, np.int16)  # 2 for a lower value, 1 for an equal one
    for k in range(window - 1 if len(last) else 0):
        other = x[k : k + len(last)]
        doubled += other < last
        doubled += other <= last
    below = np.where(np.isnan(last), np.nan, divide(doubled, 2.0 * (n - 1.0)))
    return where_known(below, n, window, len(x))


def quantile(x: Floats, window: int, q: float) -> Floats:
    """Quantile with linear interpolation between the known values (Hyndman and Fan, 1996, type 7)."""
    n = known_count(x, window)
    position = q * np.maximum(n - 1, 0)
    below = np.floor(position).astype(np.intp)
    above = np.minimum(below + 1, np.maximum(n - 1, 0))
    quantiles = np.empty(n.shape)
    step = max(1, _SORTED_AT_ONCE // window // max(1, quantiles[:1].size))
    for first in range(0, len(quantiles), step):
        rows = slice(first, first + step)
        windows = sliding_window_view(x[first : first + step + window - 1], window, axis=0)
        ordered = np.sort(windows, axis=-1)  # NaN sorts to the end
        low = np.take_along_axis(ordered, below[rows][..., None], axis=-1)[..., 0]
        high = np.take_along_axis(ordered, above[rows][..., None], axis=-1)[..., 0]
        quantiles[rows] = low + (position[rows] - below[rows]) * (high - low)
    return where_known(quantiles, n, window, len(x))


def median(x: Floats, window: int) -> Floats:
    """Median of the known values."""
    return quantile(x, window, 0.5)
