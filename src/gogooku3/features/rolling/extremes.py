"""Rolling minimum and maximum, sessions since them, and maximum drawdown."""

from __future__ import annotations

import numpy as np

from gogooku3.dataset.elementwise import Floats
from gogooku3.features.rolling.windows import State, filled, known_count, over_windows, where_known


def lowest(x: Floats, window: int) -> Floats:
    """Minimum of the known values."""
    (lows,) = over_windows((filled(x, np.inf),), window, lambda older, newer, *_: (np.minimum(older[0], newer[0]),))
    return where_known(lows, known_count(x, window), window, len(x))


def highest(x: Floats, window: int) -> Floats:
    """Maximum of the known values."""
    (highs,) = over_windows((filled(x, -np.inf),), window, lambda older, newer, *_: (np.maximum(older[0], newer[0]),))
    return where_known(highs, known_count(x, window), window, len(x))


def since_highest(x: Floats, window: int) -> Floats:
    """Sessions since the maximum, the most recent one of ties: 0 … window − 1."""
    _, age = over_windows((filled(x, -np.inf), np.zeros(x.shape)), window, _most_recent_highest)
    return where_known(age, known_count(x, window), window, len(x))


def since_lowest(x: Floats, window: int) -> Floats:
    """Sessions since the minimum, the most recent one of ties: 0 … window − 1."""
    return since_highest(-x, window)


def max_drawdown(x: Floats, window: int) -> Floats:
    """Maximum drawdown: largest fall of x below its earlier maximum in the window, ≤ 0 in the unit of x."""
    rows = (filled(x, -np.inf), filled(x, np.inf), np.zeros(x.shape))
    _, _, depth = over_windows(rows, window, _deepest)
    return where_known(depth, known_count(x, window), window, len(x))


def _most_recent_highest(older: State, newer: State, _older_rows: int, rows: int) -> State:
    """Maximum, and the number of rows after it."""
    (value, age), (value_newer, age_newer) = older, newer
    return np.maximum(value, value_newer), np.where(value_newer >= value, age_newer, age + rows)


def _deepest(older: State, newer: State, _older_rows: int, _newer_rows: int) -> State:
    """Maximum, minimum and maximum drawdown."""
    (peak, trough, depth), (peak_newer, trough_newer, depth_newer) = older, newer
    across = trough_newer - peak
    return (
        np.maximum(peak, peak_newer),
        np.minimum(trough, trough_newer),
        np.minimum(across, np.minimum(depth, depth_newer)),
    )
