"""Two series beside each other, and one series beside time."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from gogooku3.dataset.elementwise import Floats, divide, sqrt
from gogooku3.features.rolling.moments import products, squares
from gogooku3.features.rolling.windows import State, filled, known_count, over_windows, sums, where_known


def cov(x: Floats, y: Floats, window: int) -> Floats:
    """Sample covariance (n − 1)."""
    pair = _Pair.of(x, y, window)
    return where_known(divide(pair.xy, pair.n - 1), pair.n, window, len(x))


def corr(x: Floats, y: Floats, window: int) -> Floats:
    """Pearson correlation; NaN where one of the series does not move."""
    pair = _Pair.of(x, y, window)
    return where_known(divide(pair.xy, sqrt(pair.xx) * sqrt(pair.yy)), pair.n, window, len(x))


def beta(x: Floats, y: Floats, window: int) -> Floats:
    """Slope of the least-squares line of y on x; NaN where x does not move."""
    pair = _Pair.of(x, y, window)
    return where_known(divide(pair.xy, pair.xx), pair.n, window, len(x))


def residual_std(x: Floats, y: Floats, window: int) -> Floats:
    """Standard deviation (n − 2) of what the least-squares line of y on x leaves."""
    pair = _Pair.of(x, y, window)
    left = np.maximum(pair.yy - divide(pair.xy * pair.xy, pair.xx), 0.0)
    return where_known(sqrt(divide(left, pair.n - 2)), pair.n, window, len(x))


def slope(y: Floats, window: int) -> Floats:
    """Slope per session of the least-squares line of y on time."""
    pair = _Pair.with_time(y, window)
    return where_known(divide(pair.xy, pair.xx), pair.n, window, len(y))


def off_line(y: Floats, window: int) -> Floats:
    """What the least-squares line on time leaves of the last value; NaN where that is unknown."""
    pair = _Pair.with_time(y, window)
    since_centre = window - 1.0 - divide(pair.x, pair.n)
    on_line = divide(pair.y, pair.n) + since_centre * divide(pair.xy, pair.xx)
    return where_known(y[window - 1 :] - on_line, pair.n, window, len(y))


def r2(y: Floats, window: int) -> Floats:
    """Share of y's variance that the least-squares line on time explains; NaN where y does not move."""
    pair = _Pair.with_time(y, window)
    return where_known(divide(pair.xy * pair.xy, pair.xx * pair.yy), pair.n, window, len(y))


class _Pair:
    """The sums of two series over every whole window, of the sessions in which both are known."""

    def __init__(self, n: npt.NDArray[np.int16], *totals: Floats) -> None:
        self.n = n
        self.x, self.y, self._xx, self._xy, self._yy = totals

    @classmethod
    def of(cls, x: Floats, y: Floats, window: int) -> _Pair:
        unpaired = x + y
        x, y = (np.where(np.isnan(unpaired), 0.0, series) for series in (x, y))
        return cls(known_count(unpaired, window), *sums(window, x, y, x * x, x * y, y * y))

    @classmethod
    def with_time(cls, y: Floats, window: int) -> _Pair:
        """Beside the place in the window, 0 … `window` − 1."""
        known, values, nothing = (~np.isnan(y)).astype(np.float64), filled(y), np.zeros(y.shape)
        rows = (known, nothing, values, nothing, nothing, values * values)
        n, *totals = over_windows(rows, window, _placed)
        return cls(n.astype(np.int16), *totals)

    @cached_property
    def xx(self) -> Floats:
        return squares(self.n, self.x, self._xx)

    @cached_property
    def yy(self) -> Floats:
        return squares(self.n, self.y, self._yy)

    @cached_property
    def xy(self) -> Floats:
        """Exactly 0 where one of the series does not move."""
        return np.where((self.xx > 0) & (self.yy > 0), products(self.n, self.x, self.y, self._xy), 0.0)


def _placed(older: State, newer: State, rows: int, _newer_rows: int) -> State:
    """n, Σt, Σy, Σt², Σty and Σy², t being the place among the rows, from 0; the newer follow `rows` older ones."""
    n, t, y, tt, ty, yy = newer
    moved = (n, t + rows * n, y, tt + 2.0 * rows * t + float(rows * rows) * n, ty + rows * y, yy)
    return tuple(a + b for a, b in zip(older, moved, strict=True))
