"""Division, logarithm and square root that return NaN outside their domain, without warnings."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_LOG2_HIGH = 6.93147180369123816490e-01
_LOG2_LOW = 1.90821492927058770002e-10
"""log 2 as a sum of two floats: the first has zeros in its last bits, so its product with an exponent is exact."""
_LOG_SERIES = (
    1.479819860511658591e-01,
    1.531383769920937332e-01,
    1.818357216161805012e-01,
    2.222219843214978396e-01,
    2.857142874366239149e-01,
    3.999999999940941908e-01,
    6.666666666666735130e-01,
)
"""Coefficients of z^7 … z in the series, highest power first."""


def divide(numerator: npt.ArrayLike, denominator: npt.ArrayLike) -> Floats:
    """numerator / denominator; NaN where the denominator is zero or NaN."""
    top, bottom = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(bottom != 0, top / bottom, np.nan)


def log(x: Floats) -> Floats:
    """Natural logarithm, error below one unit in the last place; NaN where x is not positive and finite.

    NumPy's own logarithm differs in the last bit between processors with and without AVX-512. This one is bitwise
    identical on all processors, because IEEE 754 defines the rounding of all its operations: x = 2^k (1 + f) with
    1 + f in [√½, √2), and FreeBSD's msun polynomial in f / (2 + f) (Sun Microsystems, 1993, e_log.c).
    """
    defined = (x > 0) & (x < np.inf)
    fraction, exponent = np.frexp(np.where(defined, x, 1.0))
    low = fraction < math.sqrt(0.5)
    f = np.where(low, 2.0 * fraction, fraction) - 1.0
    k = exponent - low.astype(np.float64)
    s = f / (2.0 + f)
    z = s * s
    series = np.zeros(x.shape)
    for coefficient in _LOG_SERIES:
        series = z * (coefficient + series)
    half_square = 0.5 * f * f
    result = k * _LOG2_HIGH - ((half_square - (s * (half_square + series) + k * _LOG2_LOW)) - f)
    return np.where(defined, result, np.nan)


def sqrt(x: Floats) -> Floats:
    """Square root; NaN where x is negative."""
    with np.errstate(invalid="ignore"):
        root: Floats = np.sqrt(x)
    return root


def share(condition: Bools, known: Bools) -> Floats:
    """1.0 where the condition is true, 0.0 where it is false, NaN where it is unknown."""
    return np.where(known, condition.astype(np.float64), np.nan)
