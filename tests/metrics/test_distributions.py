"""Probabilities and quantiles against SciPy's, and in the tails where a float's own erf has no digits left."""

from __future__ import annotations

from statistics import NormalDist

import pytest
from scipy.special import stdtrit
from scipy.stats import norm

from gogooku3.metrics.distributions import normal_cdf, normal_quantile, student_quantile


@pytest.mark.parametrize("x", [-37.0, -9.3, -3.0, -0.5, 0.0, 1e-9, 0.1, 2.3, 7.0, 40.0])
def test_the_normal_distribution_is_scipys(x: float) -> None:
    assert normal_cdf(x) == pytest.approx(norm.cdf(x), rel=1e-13)


@pytest.mark.parametrize("probability", [1e-12, 0.025, 0.5, 0.95, 1 - 1e-6, 1 - 1e-12])
def test_the_normal_quantile_is_that_of_the_standard_library(probability: float) -> None:
    assert normal_quantile(probability) == pytest.approx(NormalDist().inv_cdf(probability), rel=1e-14, abs=1e-16)


@pytest.mark.parametrize("degrees", [0.4, 1.0, 1.3, 4.7, 33.3, 812.2, 3.3e6, 1e9])
@pytest.mark.parametrize("probability", [0.6, 0.975, 0.999])
def test_students_quantile_is_scipys(degrees: float, probability: float) -> None:
    assert student_quantile(degrees, probability) == pytest.approx(stdtrit(degrees, probability), rel=1e-12)


def test_students_quantile_is_a_table_s() -> None:
    assert [round(student_quantile(n, 0.975), 3) for n in (1, 5, 30)] == [12.706, 2.571, 2.042]
