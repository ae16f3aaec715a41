"""Correlations of columns with holes, against NumPy's of the rows that both have."""

from __future__ import annotations

import numpy as np
import pytest

from gogooku3.quality.feature_correlation import Correlations


@pytest.fixture(scope="module")
def values_NC() -> np.ndarray:
    """400 rows of four columns within ±5, a tenth of them holes; the last follows the first."""
    draw = np.random.Generator(np.random.Philox(5))
    values = draw.standard_normal((400, 4)).clip(-5, 5)
    values[:, 3] = 0.8 * values[:, 0] + 0.1 * values[:, 1]
    values[draw.random(values.shape) < 0.1] = np.nan
    return values


def test_each_pair_is_correlated_over_the_rows_that_both_have(values_NC: np.ndarray) -> None:
    found = Correlations(["a", "b", "c", "d"], [5.0] * 4)
    found.add(values_NC[:150])
    found.add(values_NC[150:])
    pairs = {(one, other): correlation for one, other, correlation in found.above(0.0)}
    assert list(pairs) == [("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"), ("c", "d")]
    for (one, other), correlation in pairs.items():
        both = values_NC[:, ["abcd".index(one), "abcd".index(other)]]
        both = both[~np.isnan(both).any(axis=1)]
        assert correlation == pytest.approx(np.corrcoef(both.T)[0, 1], abs=1e-4)
    assert [pair[:2] for pair in found.above(0.9)] == [("a", "d")]


def test_the_order_of_the_rows_changes_no_bit(values_NC: np.ndarray) -> None:
    found = []
    for rows in (values_NC, values_NC[::-1]):
        correlations = Correlations(["a", "b", "c", "d"], [5.0] * 4)
        for part in np.array_split(rows, 7):
            correlations.add(part)
        found.append(correlations.above(0.0))
    assert found[0] == found[1]


def test_few_rows_and_columns_without_spread_say_nothing(values_NC: np.ndarray) -> None:
    few = Correlations(["a", "b", "c", "d"], [5.0] * 4)
    few.add(values_NC[:29])
    assert few.above(0.0) == []
    level = Correlations(["a", "b"], [5.0, 5.0])
    level.add(np.column_stack([values_NC[:, 0], np.ones(400)]))
    assert level.above(0.0) == []
