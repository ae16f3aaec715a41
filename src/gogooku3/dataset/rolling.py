"""Statistics over the last `window` sessions: axis 0 is time, any axes after it are computed side by side.

A statistic at row t reads rows t − window + 1 … t and nothing else. It is NaN in the first `window` − 1 rows and
wherever fewer than `required(window)` of its values are known (not NaN); statistics of two series use the sessions
in which both are known.

Sums, minima and maxima are joined from spans of 1, 2, 4, … of the window's own rows: O(log window) a value. No running
sum is updated, so nothing cancels, nothing leaks in from older rows, and a value has the same bits wherever history
begins or ends. The other statistics loop over the window's rows, oldest first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from gogooku3.dataset.elementwise import Floats, divide, sqrt

V = TypeVar("V", np.float64, np.bool_)

_SORTED_AT_ONCE = 1 << 22
"""Values in one block of sorted windows: bounds the memory of `quantile`."""


def required(window: int) -> int:
    """Values that a window must hold: four fifths of its sessions, rounded up."""
    return (4 * window + 4) // 5


def shift(x: Floats, sessions: int) -> Floats:
    """The value of `sessions` rows earlier; NaN in the first rows."""
    shifted = np.full(x.shape, np.nan)
    shifted[sessions:] = x[: max(len(x) - sessions, 0)]
    return shifted


def count(x: Floats, window: int) -> Floats:
    """Known values in the window; NaN in the first `window` − 1 rows."""
    return _combined((~np.isnan(x)).astype(np.float64), window, np.add)


def total(x: Floats, window: int) -> Floats:
    """Sum of the known values."""
    return _known_enough(_combined(np.where(np.isnan(x), 0.0, x), window, np.add), count(x, window), window)


def mean(x: Floats, window: int) -> Floats:
    """Mean of the known values."""
    return divide(total(x, window), count(x, window))


def lowest(x: Floats, window: int) -> Floats:
    """Minimum of the known values."""
    return _known_enough(_combined(np.where(np.isnan(x), np.inf, x), window, np.minimum), count(x, window), window)


def highest(x: Floats, window: int) -> Floats:
    """Maximum of the known values."""
    return -lowest(-x, window)


def var(x: Floats, window: int) -> Floats:
    """Sample variance (n − 1)."""
    n, (second,) = _moments(x, window, 2)
    return divide(second, n - 1)


def std(x: Floats, window: int) -> Floats:
    """Sample standard deviation (n − 1)."""
    return sqrt(var(x, window))


def skew(x: Floats, window: int) -> Floats:
    """Population skewness m₃ / m₂^1.5; NaN where all values are equal."""
    n, (second, third) = _moments(x, window, 3)
    m2 = divide(second, n)
    return divide(divide(third, n), m2 * sqrt(m2))


def kurt(x: Floats, window: int) -> Floats:
    """Population excess kurtosis m₄ / m₂² − 3; NaN where all values are equal."""
    n, (second, _, fourth) = _moments(x, window, 4)
    m2 = divide(second, n)
    return divide(divide(fourth, n), m2 * m2) - 3.0


def cov(x: Floats, y: Floats, window: int) -> Floats:
    """Sample covariance (n − 1)."""
    n, _, both, _ = _products(x, y, window)
    return divide(both, n - 1)


def corr(x: Floats, y: Floats, window: int) -> Floats:
    """Pearson correlation; NaN where one of the series does not move."""
    _, xx, xy, yy = _products(x, y, window)
    return divide(xy, sqrt(xx) * sqrt(yy))


def beta(x: Floats, y: Floats, window: int) -> Floats:
    """Slope of the least-squares line of y on x; NaN where x does not move."""
    _, xx, xy, _ = _products(x, y, window)
    return divide(xy, xx)


def residual_std(x: Floats, y: Floats, window: int) -> Floats:
    """Standard deviation (n − 2) of what the least-squares line of y on x leaves."""
    n, xx, xy, yy = _products(x, y, window)
    return sqrt(divide(np.maximum(yy - divide(xy * xy, xx), 0.0), n - 2))


def slope(y: Floats, window: int) -> Floats:
    """Slope per session of the least-squares line of y on time."""
    tt, ty, _ = _line(y, window)
    return divide(ty, tt)


def r2(y: Floats, window: int) -> Floats:
    """Share of y's variance that the least-squares line on time explains; NaN where y does not move."""
    tt, ty, yy = _line(y, window)
    return divide(ty * ty, tt * yy)


def decayed_mean(x: Floats, window: int) -> Floats:
    """Mean with weights 1, 2, …, window from the oldest session to the last."""
    rows, known = _Rows(x.shape, window), ~np.isnan(x)
    top, weights = rows.zeros(), rows.zeros()
    for k in range(window):
        top += (k + 1.0) * np.where(rows(known, k), rows(x, k), 0.0)
        weights += (k + 1.0) * rows(known, k)
    return _known_enough(rows.padded(divide(top, weights)), count(x, window), window)


def since_highest(x: Floats, window: int) -> Floats:
    """Sessions since the maximum, the most recent one of equals: 0 … window − 1."""
    rows = _Rows(x.shape, window)
    best, age = np.full(rows.zeros().shape, -np.inf), rows.zeros()
    for k in range(window):
        new = rows(x, k) >= best
        best = np.where(new, rows(x, k), best)
        age = np.where(new, window - 1.0 - k, age)
    return _known_enough(rows.padded(age), count(x, window), window)


def since_lowest(x: Floats, window: int) -> Floats:
    """Sessions since the minimum, the most recent one of equals: 0 … window − 1."""
    return since_highest(-x, window)


def rank_of_last(x: Floats, window: int) -> Floats:
    """Share of the window's other values below the last one, equals counting half; NaN where the last is unknown."""
    rows = _Rows(x.shape, window)
    last, below = rows(x, window - 1), rows.zeros()
    for k in range(window - 1):
        below += (rows(x, k) < last) + 0.5 * (rows(x, k) == last)
    n = count(x, window)
    return _known_enough(np.where(np.isnan(x), np.nan, divide(rows.padded(below), n - 1)), n, window)


def max_drawdown(x: Floats, window: int) -> Floats:
    """Deepest fall of x below its highest value earlier in the window, as a number ≤ 0 in the unit of x."""
    rows = _Rows(x.shape, window)
    peak, depth = np.full(rows.zeros().shape, -np.inf), rows.zeros()
    for k in range(window):
        peak = np.fmax(peak, rows(x, k))
        depth = np.fmin(depth, rows(x, k) - peak)
    return _known_enough(rows.padded(depth), count(x, window), window)


def quantile(x: Floats, window: int, q: float) -> Floats:
    """Quantile with linear interpolation between the known values (Hyndman and Fan, 1996, type 7)."""
    rows = _Rows(x.shape, window)
    columns = x.reshape(len(x), -1)
    result = rows.zeros().reshape(rows.length, columns.shape[1])
    step = max(1, _SORTED_AT_ONCE // max(1, rows.length * window))
    for first in range(0, columns.shape[1] if rows.length else 0, step):
        block = columns[:, first : first + step]
        ordered = np.sort(sliding_window_view(block, window, axis=0), axis=-1)  # NaN sorts to the end
        n = window - np.isnan(ordered).sum(axis=-1)
        place = q * np.maximum(n - 1, 0)
        below = np.floor(place).astype(np.intp)
        above = np.minimum(below + 1, np.maximum(n - 1, 0))
        low = np.take_along_axis(ordered, below[..., None], axis=-1)[..., 0]
        high = np.take_along_axis(ordered, above[..., None], axis=-1)[..., 0]
        result[:, first : first + step] = low + (place - below) * (high - low)
    padded = rows.padded(result.reshape(rows.zeros().shape))
    return _known_enough(padded, count(x, window), window)


def median(x: Floats, window: int) -> Floats:
    """Median of the known values."""
    return quantile(x, window, 0.5)


class _Rows:
    """The k-th row, oldest first, of every whole window of a series."""

    def __init__(self, shape: tuple[int, ...], window: int) -> None:
        self.shape = shape
        self.length = max(shape[0] - window + 1, 0)

    def __call__(self, x: npt.NDArray[V], k: int) -> npt.NDArray[V]:
        return x[k : k + self.length]

    def zeros(self) -> Floats:
        return np.zeros((self.length, *self.shape[1:]))

    def padded(self, x: Floats) -> Floats:
        """The values of the windows under NaN for the rows where none is whole yet."""
        result = np.full(self.shape, np.nan)
        result[self.shape[0] - self.length :] = x
        return result


def _combined(x: Floats, window: int, combine: Callable[[Floats, Floats], Floats]) -> Floats:
    """Combines the rows of each window: spans of doubling length, joined by the binary digits of `window`."""
    rows = _Rows(x.shape, window)
    if not rows.length:
        return np.full(x.shape, np.nan)
    span, spans = 1, x  # spans[i] combines rows i … i + span − 1
    covered, joined = 0, x  # joined[i] combines rows i … i + covered − 1
    while True:
        if window & span:
            length = len(x) - covered - span + 1
            joined = combine(joined[:length], spans[covered : covered + length]) if covered else spans
            covered += span
        if covered == window:
            return rows.padded(joined)
        spans = combine(spans[:-span], spans[span:])
        span *= 2


def _known_enough(x: Floats, n: Floats, window: int) -> Floats:
    return np.where(n >= required(window), x, np.nan)


def _moments(x: Floats, window: int, order: int) -> tuple[Floats, list[Floats]]:
    """Count, and sums of the 2nd … `order`-th power of the deviations from the window's mean."""
    rows, known = _Rows(x.shape, window), ~np.isnan(x)
    centre = mean(x, window)[len(x) - rows.length :]
    sums = [rows.zeros() for _ in range(order - 1)]
    for k in range(window):
        deviation = np.where(rows(known, k), rows(x, k) - centre, 0.0)
        power = deviation
        for accumulated in sums:
            power = power * deviation
            accumulated += power
    n = count(x, window)
    # The mean of equal values may miss them by a rounding error: their deviations are none.
    flat = lowest(x, window) == highest(x, window)
    return n, [_known_enough(np.where(flat, 0.0, rows.padded(summed)), n, window) for summed in sums]


def _products(x: Floats, y: Floats, window: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Count and sums of dx·dx, dx·dy and dy·dy over the sessions in which both series are known."""
    together = np.isnan(x + y)
    x, y = np.where(together, np.nan, x), np.where(together, np.nan, y)
    rows, known = _Rows(x.shape, window), ~together
    start = len(x) - rows.length
    x_centre, y_centre = mean(x, window)[start:], mean(y, window)[start:]
    xx, xy, yy = rows.zeros(), rows.zeros(), rows.zeros()
    for k in range(window):
        dx = np.where(rows(known, k), rows(x, k) - x_centre, 0.0)
        dy = np.where(rows(known, k), rows(y, k) - y_centre, 0.0)
        xx += dx * dx
        xy += dx * dy
        yy += dy * dy
    n = count(x, window)
    x_flat, y_flat = lowest(x, window) == highest(x, window), lowest(y, window) == highest(y, window)
    sums = ((x_flat, xx), (x_flat | y_flat, xy), (y_flat, yy))
    first, second, third = (_known_enough(np.where(flat, 0.0, rows.padded(summed)), n, window) for flat, summed in sums)
    return n, first, second, third


def _line(y: Floats, window: int) -> tuple[Floats, Floats, Floats]:
    """Sums of dt·dt, dt·dy and dy·dy over the known sessions, t being the place in the window."""
    place = np.arange(window, dtype=np.float64)
    rows, known = _Rows(y.shape, window), ~np.isnan(y)
    places = rows.zeros()
    for k in range(window):
        places += place[k] * rows(known, k)
    n = count(y, window)
    start = len(y) - rows.length
    t_centre, y_centre = divide(places, n[start:]), mean(y, window)[start:]
    tt, ty, yy = rows.zeros(), rows.zeros(), rows.zeros()
    for k in range(window):
        dt = np.where(rows(known, k), place[k] - t_centre, 0.0)
        dy = np.where(rows(known, k), rows(y, k) - y_centre, 0.0)
        tt += dt * dt
        ty += dt * dy
        yy += dy * dy
    flat = lowest(y, window) == highest(y, window)
    sums = ((False, tt), (flat, ty), (flat, yy))
    first, second, third = (
        _known_enough(np.where(level, 0.0, rows.padded(summed)), n, window) for level, summed in sums
    )
    return first, second, third
