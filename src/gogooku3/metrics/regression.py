"""Least squares by elementwise sums, for many samples at once: BLAS rounds differently on different machines."""

from __future__ import annotations

import numpy as np

from gogooku3.dataset.elementwise import divide
from gogooku3.metrics.cross_section import Floats

_SINGULAR = 1e-10
"""Least share of a regressor's variation that the others leave unexplained: below it, it is a combination of them."""


def least_squares(y_DN: Floats, x_DNK: Floats) -> tuple[Floats, Floats]:
    """Ordinary least squares with a constant: y = a + Σ b_k · x_k + residual.

    Solves the normal equations of the deviations from the means, by Gaussian elimination without pivoting, which is
    stable for a positive definite matrix (Golub and Van Loan, 2013, section 4.2).

    Args:
        y_DN: N observations of D samples.
        x_DNK: K regressors.

    Returns:
        [D] a and [D, K] b; NaN if there are no more than K + 1 observations, or the regressors are collinear.
    """
    observations, count = x_DNK.shape[-2:]
    y_mean_D1, x_mean_D1K = y_DN.mean(axis=1, keepdims=True), x_DNK.mean(axis=1, keepdims=True)
    y, x = y_DN - y_mean_D1, x_DNK - x_mean_D1K
    gram_DKK, right_DK = np.empty((len(y), count, count)), np.empty((len(y), count))
    for i in range(count):
        right_DK[:, i] = (x[..., i] * y).sum(axis=1)
        for j in range(i + 1):
            gram_DKK[:, i, j] = gram_DKK[:, j, i] = (x[..., i] * x[..., j]).sum(axis=1)
    usable_D = np.full(len(y), observations > count + 1)
    variation_DK = np.stack([gram_DKK[:, k, k] for k in range(count)], axis=1)
    for k in range(count):
        usable_D &= (variation_DK[:, k] > 0) & (gram_DKK[:, k, k] > _SINGULAR * variation_DK[:, k])
        for i in range(k + 1, count):
            factor_D = divide(gram_DKK[:, i, k], gram_DKK[:, k, k])
            gram_DKK[:, i, k:] -= factor_D[:, None] * gram_DKK[:, k, k:]
            right_DK[:, i] -= factor_D * right_DK[:, k]
    slope_DK = np.zeros_like(right_DK)
    for k in reversed(range(count)):
        known_D = (gram_DKK[:, k, k + 1 :] * slope_DK[:, k + 1 :]).sum(axis=1)
        slope_DK[:, k] = divide(right_DK[:, k] - known_D, gram_DKK[:, k, k])
    slope_DK = np.where(usable_D[:, None], slope_DK, np.nan)
    constant_D: Floats = y_mean_D1[:, 0] - (slope_DK * x_mean_D1K[:, 0]).sum(axis=1)
    return constant_D, slope_DK


def r_squared(y_N: Floats, x_NK: Floats) -> float:
    """Share of the variation of y that its least squares on x explain; NaN where they are undefined."""
    constant_D, slope_DK = least_squares(y_N[None], x_NK[None])
    residual_N = y_N - constant_D[0] - (slope_DK[0] * x_NK).sum(axis=1)
    deviation_N = y_N - y_N.mean()
    variation = float((deviation_N * deviation_N).sum())
    return 1 - float((residual_N * residual_N).sum()) / variation if variation > 0 else float("nan")
