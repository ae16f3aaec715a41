from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn
from scipy import stats

from gogooku3.metrics.cross_section import average_ranks, demean, demean_by_range, mask_pairs

tied_values = st.one_of(st.integers(-3, 3).map(float), st.floats(-1e6, 1e6), st.just(np.nan))
matrices = stn.arrays(np.float64, stn.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=tied_values)


@given(matrices)
def test_ranks_equal_those_of_scipy_with_ties_and_holes(x_TS):
    expected_TS = stats.rankdata(x_TS, axis=1, nan_policy="omit")
    np.testing.assert_array_equal(average_ranks(x_TS), expected_TS)


def test_ranks_by_hand():
    ranks = average_ranks(np.array([[5.0, np.nan, 2.0, 5.0, 9.0]]))
    np.testing.assert_array_equal(ranks, [[2.5, np.nan, 1.0, 2.5, 4.0]])


@given(matrices)
def test_deviations_sum_to_zero_and_span_one(x_TS):
    for x_S, deviation_S in zip(x_TS, demean_by_range(x_TS), strict=True):
        present_S = ~np.isnan(x_S)
        assert not deviation_S[~present_S].any()
        if len(np.unique(x_S[present_S])) < 2:
            assert not deviation_S.any()
        else:
            assert abs(deviation_S.sum()) < 1e-14
            np.testing.assert_allclose(np.ptp(deviation_S[present_S]), 1.0)


def test_equal_values_have_no_deviation_though_their_mean_is_rounded():
    tenth = np.full((1, 7), 0.1)
    assert tenth.sum() / 7 != 0.1
    assert not demean_by_range(tenth).any()


def test_differences_in_the_last_bit_are_seen_and_centred():
    high = np.array([[1e6, 1e6, np.nextafter(1e6, 2e6)]])
    np.testing.assert_allclose(demean_by_range(high), [[-1 / 3, -1 / 3, 2 / 3]])
    tiny = np.array([[0.0, 0.0, 5e-324]])
    np.testing.assert_allclose(demean_by_range(tiny), [[-1 / 3, -1 / 3, 2 / 3]])


def test_relative_values_by_hand():
    np.testing.assert_array_equal(
        demean(np.array([[1.0, np.nan, 3.0], [np.nan] * 3])), [[-1.0, np.nan, 1.0], [np.nan] * 3]
    )


def test_a_pair_lacks_both_where_either_is_missing_and_is_float64():
    scores = np.array([[1.0, np.nan, 3.0, 4.0]], dtype=np.float32)
    targets = np.array([[0.1, 0.2, np.nan, 0.4]], dtype=np.float32)
    left, right = mask_pairs(scores, targets)
    np.testing.assert_array_equal(left, [[1.0, np.nan, np.nan, 4.0]])
    np.testing.assert_array_equal(np.isnan(right), np.isnan(left))
    assert left.dtype == right.dtype == np.float64
