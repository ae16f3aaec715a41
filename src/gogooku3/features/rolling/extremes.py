"""Extremes of a window, how long ago they were, and the deepest fall between them."""

from __future__ import annotations

import numpy as np

from gogooku3.dataset.elementwise import Floats
from gogooku3.features.rolling.windows import State, filled, known_count, over_windows, where_known


def lowest(x: Floats, window: int) -> Floats:
    """Minimum of the known values."""
    (found,) = over_windows((filled(x, np.inf),), window, lambda older, newer, *_: (np.minimum(older[0], newer[0]),))
    return where_known(found, known_count(x, window), window, len(x))


def highest(x: Floats, window: int) -> Floats:
    """Maximum of the known values."""
    (found,) = over_windows((filled(x, -np.inf),), window, lambda older, newer, *_: (np.maximum(older[0], newer[0]),))
    return where_known(found, known_count(x, window), window, len(x))


def since_highest(x: Floats, window: int) -> Floats:
    """Sessions since the maximum, the most recent one of equals: 0 … window − 1."""
    _, age = over_windows((filled(x, -np.inf), np.zeros(x.shape)), window, _most_recent_highest)
    return where_known(age, known_count(x, window), window, len(x))


def since_lowest(x: Floats, window: int) -> Floats:
    """Sessions since the minimum, the most recent one of equals: 0 … window − 1."""
    return since_highest(-x, window)


def max_drawdown(x: Floats, window: int) -> Floats:
    """Deepest fall of x below its highest value earlier in the window, as a number ≤ 0 in the unit of x."""
    rows = (filled(x, -np.inf), filled(x, np.inf), np.zeros(x.shape))
    _, _, depth = over_windows(rows, window, _deepest)
    return where_known(depth, known_count(x, window), window, len(x))


def _most_recent_highest(older: State, newer: State, _older_rows: int, rows: int) -> State:
    """Maximum, and the rows that follow it."""
    (value, age), (value_newer, age_newer) = older, newer
    return np.maximum(value, value_newer), np.where(value_newer >= value, age_newer, age + rows)


def _deepest(older: State, newer: State, _older_rows: int, _newer_rows: int) -> State:
    """Maximum, minimum and deepest fall."""
    (peak, trough, depth), (peak_newer, trough_newer, depth_newer) = older, newer
    across = trough_newer - peak
    return (
        np.maximum(peak, peak_newer),
        np.minimum(trough, trough_newer),
        np.minimum(across, np.minimum(depth, depth_newer)),
    )
