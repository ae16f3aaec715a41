"""Rolling mean, variance, skewness and kurtosis of one series.

Moments are computed from sums of powers. A variance so small compared with the mean square that it may be rounding
error (below 2⁻⁴⁶ of it, a deviation of a ten-millionth of the level) counts as zero: the values are equal.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gogooku3.dataset.elementwise import Floats, divide, sqrt
from gogooku3.features.rolling.windows import State, filled, known_count, over_windows, sums, where_known

_ROUNDING = 2.0**-46


def mean(x: Floats, window: int) -> Floats:
    """Mean of the known values."""
    (summed,) = sums(window, filled(x))
    n = known_count(x, window)
    return where_known(divide(summed, n), n, window, len(x))


def var(x: Floats, window: int) -> Floats:
    """Sample variance (n − 1)."""
    n, (first, second) = _powers(x, window, 2)
    return where_known(divide(squares(n, first, second), n - 1), n, window, len(x))


def std(x: Floats, window: int) -> Floats:
    """Sample standard deviation (n − 1)."""
    return sqrt(var(x, window))


def skew(x: Floats, window: int) -> Floats:
    """Population skewness m₃ / m₂^1.5; NaN if all values are equal."""
    n, (first, second, third) = _powers(x, window, 3)
    m2, centre = divide(squares(n, first, second), n), divide(first, n)
    m3 = divide(third, n) - centre * (3.0 * divide(second, n) - 2.0 * centre * centre)
    return where_known(divide(m3, m2 * sqrt(m2)), n, window, len(x))


def kurt(x: Floats, window: int) -> Floats:
    """Population excess kurtosis m₄ / m₂² − 3; NaN if all values are equal."""
    n, (first, second, third, fourth) = _powers(x, window, 4)
    m2, centre = divide(squares(n, first, second), n), divide(first, n)
    square = centre * centre
    m4 = divide(fourth, n) - centre * (4.0 * divide(third, n)) + square * (6.0 * divide(second, n) - 3.0 * square)
    return where_known(divide(m4, m2 * m2) - 3.0, n, window, len(x))


def decayed_mean(x: Floats, window: int) -> Floats:
    """Linearly weighted mean: weights 1, 2, …, window from the oldest session to the last."""
    known, values = (~np.isnan(x)).astype(np.float64), filled(x)
    n, weights, _, weighted = over_windows((known, known, values, values), window, _linearly_weighted)
    return where_known(divide(weighted, weights), n, window, len(x))


def squares(n: npt.NDArray[np.int16], x: Floats, xx: Floats) -> Floats:
    """Σ (x − x̄)² from n, Σx and Σx²; exactly 0 if it may be all rounding error."""
    centred = products(n, x, x, xx)
    return np.where(centred > _ROUNDING * xx, centred, 0.0)


def products(n: npt.NDArray[np.int16], x: Floats, y: Floats, xy: Floats) -> Floats:
    """Σ (x − x̄)(y − ȳ) from n, Σx, Σy and Σxy."""
    return xy - divide(x * y, n)


def _powers(x: Floats, window: int, order: int) -> tuple[npt.NDArray[np.int16], State]:
    """Count, and sums of the 1st … `order`-th powers of the known values."""
    powers = [filled(x)]
    while len(powers) < order:
        powers.append(powers[-1] * powers[0])
    return known_count(x, window), sums(window, *powers)


def _linearly_weighted(older: State, newer: State, rows: int, _newer_rows: int) -> State:
    """Sums, and sums weighted by the position in the window, from 1; the newer rows follow `rows` older ones."""
    n, weights, total_x, weighted = older
    n_newer, weights_newer, total_newer, weighted_newer = newer
    return (
        n + n_newer,
        weights + weights_newer + rows * n_newer,
        total_x + total_newer,
        weighted + weighted_newer + rows * total_newer,
    )
