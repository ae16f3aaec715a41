from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gogooku3.dataset.elementwise import divide, log, share, sqrt


@given(st.floats(min_value=5e-324, max_value=1.7e308))
def test_the_logarithm_is_within_one_unit_in_the_last_place(x: float) -> None:
    exact = math.log(x)
    assert abs(log(np.array([x]))[0] - exact) <= math.ulp(exact)


@pytest.mark.parametrize("k", [-1000, -1, 0, 1, 10, 1000])
def test_the_logarithm_of_a_power_of_two_is_that_multiple_of_log_two(k: int) -> None:
    assert log(np.array([2.0**k]))[0] == pytest.approx(k * math.log(2.0), rel=2.3e-16)


def test_the_logarithm_has_known_bits_on_every_processor() -> None:
    result = log(np.array([0.1, 0.99, 1.01, 3.0, 12345.678]))
    assert [value.hex() for value in result.tolist()] == [
        "-0x1.26bb1bbb55515p+1",
        "-0x1.495453e6fd4bcp-7",
        "0x1.460d6ccca367cp-7",
        "0x1.193ea7aad030ap+0",
        "0x1.2d79559791e31p+3",
    ]


def test_undefined_results_are_nan_without_a_warning() -> None:
    x = np.array([0.0, -1.0, np.nan, np.inf])
    assert np.isnan(log(x)).all()
    assert np.isnan(divide(1.0, np.array([0.0, np.nan]))).all()
    assert np.isnan(sqrt(np.array([-1e-300, np.nan]))).all()


def test_a_share_is_nan_if_its_condition_is_unknown() -> None:
    known = share(np.array([True, False, False]), np.array([True, True, False]))
    np.testing.assert_array_equal(known, [1.0, 0.0, np.nan])
