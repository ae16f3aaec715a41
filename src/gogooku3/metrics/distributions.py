"""Probabilities and quantiles of the normal and Student's t distribution, correctly rounded.

The C library behind SciPy and `statistics` rounds the last bits of erf, log and exp differently in each release.
mpmath computes in integers, here with 120 bits, and the result is rounded once to a float.
"""

from __future__ import annotations

from functools import lru_cache

import mpmath

_BITS = 120


def normal_cdf(x: float) -> float:
    """Probability that a standard normal variable is at most x."""
    with mpmath.workprec(_BITS):
        return float(mpmath.ncdf(x))


@lru_cache
def normal_quantile(probability: float) -> float:
    """Quantile of the standard normal distribution at probability p, 0 < p < 1."""
    with mpmath.workprec(_BITS):
        return float(mpmath.sqrt(2) * mpmath.erfinv(2 * mpmath.mpf(probability) - 1))


@lru_cache
def student_quantile(degrees: float, probability: float) -> float:
    """Quantile of Student's t distribution at probability p, for any positive degrees of freedom ν.

    For ½ < p < 1: the root of P(T > t) = ½ I(ν / (ν + t²); ν/2, ½) = 1 − p, I the regularised incomplete beta function.
    """
    with mpmath.workprec(_BITS):
        nu = mpmath.mpf(degrees)

        def beyond(t: mpmath.mpf) -> mpmath.mpf:
            both_tails = mpmath.betainc(nu / 2, 0.5, 0, nu / (nu + t * t), regularized=True)
            return both_tails / 2 - (1 - mpmath.mpf(probability))

        least = normal_quantile(probability)  # a lower bound: Student's tails are heavier
        most = 2 * least
        while beyond(most) > 0:
            most *= 2
        return float(mpmath.findroot(beyond, (least, most), solver="anderson"))


def power(base: float, exponent: float) -> float:
    """A positive base to a power."""
    with mpmath.workprec(_BITS):
        return float(mpmath.power(mpmath.mpf(float(base)), mpmath.mpf(exponent)))


def student_two_sided(degrees: float, t: float) -> float:
    """Probability that |T| exceeds |t|, for Student's t distribution with ν degrees of freedom.

    I(ν / (ν + t²); ν/2, ½), I the regularised incomplete beta function.
    """
    with mpmath.workprec(_BITS):
        nu, square = mpmath.mpf(degrees), mpmath.mpf(t) ** 2
        return float(mpmath.betainc(nu / 2, 0.5, 0, nu / (nu + square), regularized=True))
