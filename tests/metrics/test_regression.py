"""Least squares, compared with statsmodels and empyrical."""

from __future__ import annotations

import empyrical
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from gogooku3.metrics.regression import least_squares, r_squared
from gogooku3.metrics.track import windows


@pytest.mark.parametrize("count", [1, 2, 5])
def test_least_squares_are_those_of_statsmodels(count: int) -> None:
    rng = np.random.default_rng(count)
    common = rng.standard_normal((3, 120, 1))
    x_DNK = 0.01 * (rng.standard_normal((3, 120, count)) + common)
    y_DN = 0.0003 + (x_DNK * rng.standard_normal(count)).sum(axis=-1) + 0.002 * rng.standard_normal((3, 120))
    constant_D, slope_DK = least_squares(y_DN, x_DNK)
    for y_N, x_NK, constant, slope_K in zip(y_DN, x_DNK, constant_D, slope_DK, strict=True):
        fitted = sm.OLS(y_N, sm.add_constant(x_NK)).fit()
        assert [constant, *slope_K] == pytest.approx(fitted.params, rel=1e-9)
        assert r_squared(y_N, x_NK) == pytest.approx(fitted.rsquared, rel=1e-9)


def test_the_rolling_beta_is_that_of_empyrical() -> None:
    rng = np.random.default_rng(0)
    dates = pd.bdate_range("2020-01-01", periods=200)
    index = pd.Series(0.01 * rng.standard_normal(200), index=dates)
    own = pd.Series(0.4 * index + 0.01 * rng.standard_normal(200), index=dates)
    slope_VK = least_squares(windows(own.to_numpy(), 60), windows(index.to_numpy(), 60)[..., None])[1]
    np.testing.assert_allclose(slope_VK[:, 0], empyrical.roll_beta(own, index, window=60), rtol=1e-9)


def test_a_sample_that_determines_no_line_is_undefined() -> None:
    rng = np.random.default_rng(0)
    y_N, x_N = rng.standard_normal((2, 30))
    doubled_NK = np.stack([x_N, 3 * x_N + 1], axis=1)
    constant_NK = np.stack([x_N, np.ones(30)], axis=1)
    missing_NK = np.where(np.arange(30)[:, None] == 4, np.nan, x_N[:, None])
    for x_NK in (doubled_NK, constant_NK, missing_NK):
        assert np.isnan(least_squares(y_N[None], x_NK[None])[1]).all()
    assert np.isnan(least_squares(y_N[None, :3], doubled_NK[None, :3, :1] * 0 + x_N[:3, None])[0]) == [False]
    assert np.isnan(least_squares(y_N[None, :2], x_N[None, :2, None])[0]).all()
