from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import rankdata

from gogooku3.dataset import cross_section

CROSS_SECTIONS = arrays(
    np.float64, st.tuples(st.integers(1, 5), st.integers(1, 9)), elements=st.sampled_from([np.nan, -1.0, 0.0, 0.5, 2.0])
)


@given(CROSS_SECTIONS)
def test_ranks_run_from_minus_one_to_one_and_ties_get_their_mean(x_TS: np.ndarray) -> None:
    expected = np.full(x_TS.shape, np.nan)
    for row, values in zip(expected, x_TS, strict=True):
        known = ~np.isnan(values)
        if known.sum() >= 5:
            row[known] = 2 * (rankdata(values[known]) - 1) / (known.sum() - 1) - 1
    np.testing.assert_allclose(cross_section.rank(x_TS), expected, atol=1e-15)


@given(CROSS_SECTIONS)
def test_mean_and_deviation_need_five_values(x_TS: np.ndarray) -> None:
    for t, values in enumerate(x_TS):
        known = values[~np.isnan(values)]
        expected = (known.mean(), known.std()) if len(known) >= 5 else (np.nan, np.nan)
        actual = cross_section.mean(x_TS)[t], cross_section.std(x_TS)[t]
        np.testing.assert_allclose(actual, expected, atol=1e-12)


def test_a_group_mean_includes_the_stock_and_needs_two_values() -> None:
    x_TS = np.array([[1.0, 2.0, 9.0, 4.0], [1.0, np.nan, 9.0, 5.0]])
    group_S = np.array([0, 0, 1, 1])
    np.testing.assert_array_equal(
        cross_section.group_mean(x_TS, group_S), [[1.5, 1.5, 6.5, 6.5], [np.nan, np.nan, 7.0, 7.0]]
    )


def test_a_column_without_values_changes_no_bit() -> None:
    x_TS = np.random.Generator(np.random.Philox(1)).normal(size=(20, 40))
    wide_TS = np.insert(x_TS, [0, 7, 40], np.nan, axis=1)
    kept = ~np.isnan(wide_TS[0])
    group_S = np.arange(43) % 4
    np.testing.assert_array_equal(cross_section.mean(wide_TS), cross_section.mean(x_TS))
    np.testing.assert_array_equal(cross_section.std(wide_TS), cross_section.std(x_TS))
    np.testing.assert_array_equal(cross_section.rank(wide_TS)[:, kept], cross_section.rank(x_TS))
    np.testing.assert_array_equal(
        cross_section.group_mean(wide_TS, group_S)[:, kept], cross_section.group_mean(x_TS, group_S[kept])
    )
