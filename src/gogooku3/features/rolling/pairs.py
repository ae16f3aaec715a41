"""Rolling covariance, correlation and regression of two series, or of one series on time."""

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
    """Pearson correlation; NaN if one of the series is constant."""
    pair = _Pair.of(x, y, window)
    return where_known(divide(pair.xy, sqrt(pair.xx) * sqrt(pair.yy)), pair.n, window, len(x))


def beta(x: Floats, y: Floats, window: int) -> Floats:
    """Slope of the least-squares regression of y on x; NaN if x is constant."""
    pair = _Pair.of(x, y, window)
    return where_known(divide(pair.xy, pair.xx), pair.n, window, len(x))


def residual_std(x: Floats, y: Floats, window: int) -> Floats:
    """Standard deviation (n − 2) of the residuals of the least-squares regression of y on x."""
    pair = _Pair.of(x, y, window)
    residual_squares = np.maximum(pair.yy - divide(pair.xy * pair.xy, pair.xx), 0.0)
    return where_known(sqrt(divide(residual_squares, pair.n - 2)), pair.n, window, len(x))


def slope(y: Floats, window: int) -> Floats:
    """Slope per session of the least-squares regression of y on time."""
    pair = _Pair.with_time(y, window)
    return where_known(divide(pair.xy, pair.xx), pair.n, window, len(y))


def off_line(y: Floats, window: int) -> Floats:
    """Residual of the last value from the least-squares regression on time; NaN if that value is unknown."""
    pair = _Pair.with_time(y, window)
    from_mean_time = window - 1.0 - divide(pair.x, pair.n)
    fitted = divide(pair.y, pair.n) + from_mean_time * divide(pair.xy, pair.xx)
    return where_known(y[window - 1 :] - fitted, pair.n, window, len(y))


def r2(y: Floats, window: int) -> Floats:
    """R² of the least-squares regression of y on time; NaN if y is constant."""
    pair = _Pair.with_time(y, window)
    return where_known(divide(pair.xy * pair.xy, pair.xx * pair.yy), pair.n, window, len(y))


class _Pair:
    """Sums of two series over every full window, of the sessions in which both are known."""

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
        """Pairs y with the position in the window, 0 … `window` − 1."""
        known, values, nothing = (~np.isnan(y)).astype(np.float64), filled(y), np.zeros(y.shape)
        rows = (known, nothing, values, nothing, nothing, values * values)
        n, *totals = over_windows(rows, window, _time_sums)
        return cls(n.astype(np.int16), *totals)

    @cached_property
    def xx(self) -> Floats:
        return squares(self.n, self.x, self._xx)

    @cached_property
    def yy(self) -> Floats:
        return squares(self.n, self.y, self._yy)

    @cached_property
    def xy(self) -> Floats:
        """Exactly 0 if one of the series is constant."""
        return np.where((self.xx > 0) & (self.yy > 0), products(self.n, self.x, self.y, self._xy), 0.0)


def _time_sums(older: State, newer: State, rows: int, _newer_rows: int) -> State:
    """n, Σt, Σy, Σt², Σty and Σy², where t is the row number from 0; the newer rows follow `rows` older ones."""
    n, t, y, tt, ty, yy = newer
    shifted = (n, t + rows * n, y, tt + 2.0 * rows * t + float(rows * rows) * n, ty + rows * y, yy)
    return tuple(a + b for a, b in zip(older, shifted, strict=True))
