from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn

from gogooku3.evaluation.weights import equal_weights, score_weights

from .conftest import PORTFOLIO

S = 8
SECTORS = tuple("AABBBBCC")
scores = stn.arrays(np.float64, (4, S), elements=st.one_of(st.floats(-10, 10, width=16), st.just(np.nan)))
caps = st.sampled_from([None, 0.5, 0.25, 0.2, 0.1, 0.05])


def weights(scores_TS, **changes):
    return score_weights(np.asarray(scores_TS, float), SECTORS, replace(PORTFOLIO, **changes))


def sector_sums(weights_TS):
    return np.stack([weights_TS[:, [name == sector for name in SECTORS]].sum(axis=1) for sector in "ABC"])


def test_weights_are_the_scores_less_their_mean_of_unit_gross():
    found = weights([[3, 2, 1, np.nan, np.nan, np.nan, np.nan, np.nan]])
    np.testing.assert_allclose(found, [[0.5, 0, -0.5, 0, 0, 0, 0, 0]])


def test_a_sector_neutral_portfolio_holds_what_beats_its_own_sector():
    # A's mean is 2, B's 12, C's stocks are equal: deviations (1, −1), (−3, −1, 1, 3), none.
    found = weights([[3, 1, 9, 11, 13, 15, 7, 7]], sector_neutral=True)
    np.testing.assert_allclose(found, np.array([[1, -1, -3, -1, 1, 3, 0, 0]]) / 10)


def test_a_cap_is_reached_and_the_others_grow_in_proportion():
    # Uncapped: .25, .25 and −.35, −.1, −.05. With a cap of 0.3 the short side fills up as 2 : 1 again.
    found = weights([[5, 5, -7, -2, -1, np.nan, np.nan, np.nan]], max_weight=0.3)
    np.testing.assert_allclose(found, [[0.25, 0.25, -0.3, -0.2 * 2 / 3, -0.2 / 3, 0, 0, 0]])


def test_too_few_stocks_for_the_cap_hold_less_than_all_of_the_capital():
    # One stock carries the long side: no more than the cap, and the short side no more than that.
    found = weights([[4, -1, -1, -1, -1, np.nan, np.nan, np.nan]], max_weight=0.2)
    np.testing.assert_allclose(found, [[0.2, -0.05, -0.05, -0.05, -0.05, 0, 0, 0]])


@given(scores, caps, st.booleans())
def test_weights_are_neutral_within_the_cap_and_of_unit_gross_where_that_is_possible(scores_TS, cap, neutral):
    found = weights(scores_TS, max_weight=cap, sector_neutral=neutral)
    gross_T = np.abs(found).sum(axis=1)
    assert not found[np.isnan(scores_TS)].any()
    np.testing.assert_allclose(found.sum(axis=1), 0, atol=1e-12)
    if neutral:
        np.testing.assert_allclose(sector_sums(found), 0, atol=1e-12)
    assert (gross_T <= 1 + 1e-12).all()
    assert cap is None or np.abs(found).max() <= cap + 1e-15
    free = weights(scores_TS, sector_neutral=neutral)
    np.testing.assert_array_equal(gross_T > 0, np.abs(free).sum(axis=1) > 0)
    groups = [np.array([name == sector for name in SECTORS]) for sector in "ABC"] if neutral else [np.full(S, True)]
    for weights_S in found[(gross_T > 0) & (gross_T < 1 - 1e-9)]:
        # Gross exposure is lower only if every group's smaller side is at the cap.
        for members in groups:
            sides = [np.abs(weights_S[members & (np.sign(weights_S) == side)]) for side in (1, -1)]
            np.testing.assert_allclose(min(sides, key=len), cap, rtol=1e-9)
    np.testing.assert_array_equal(np.sign(found), np.sign(free))


@given(scores, st.booleans())
def test_capped_weights_are_cut_and_scaled_and_nothing_else(scores_TS, neutral):
    """Within a side (of a sector), positions below the cap keep their proportions."""
    cap = 0.2
    free, found = weights(scores_TS, sector_neutral=neutral), weights(scores_TS, sector_neutral=neutral, max_weight=cap)
    groups = [[name == sector for name in SECTORS] for sector in "ABC"] if neutral else [[True] * S]
    for free_S, found_S in zip(free, found, strict=True):
        for members in groups:
            for side in (1, -1):
                chosen = np.array(members) & (np.sign(free_S) == side)
                ratio = found_S[chosen] / free_S[chosen]
                if len(ratio):
                    largest = np.abs(found_S[chosen]) >= np.abs(found_S[chosen]).max() * (1 - 1e-9)
                    np.testing.assert_allclose(ratio[~largest], ratio.max(), rtol=1e-9)


@given(scores)
def test_scale_and_level_of_the_scores_do_not_matter(scores_TS):
    np.testing.assert_allclose(weights(4 * scores_TS + 8), weights(scores_TS), atol=1e-12)


@pytest.mark.parametrize("neutral", [False, True])
def test_equal_scores_have_no_weights_though_their_mean_is_rounded(neutral):
    assert not weights(np.full((1, S), 0.1), sector_neutral=neutral, max_weight=0.05).any()


def test_differences_in_the_last_bit_are_weighted_exactly():
    high = np.array([[1e6, 1e6, np.nextafter(1e6, 2e6), *[np.nan] * 5]])
    np.testing.assert_allclose(weights(high), [[-0.25, -0.25, 0.5, *[0] * 5]])


def test_equal_weights_are_long_every_scored_stock():
    found = equal_weights(np.array([[1.0, np.nan, 5.0], [np.nan] * 3]))
    np.testing.assert_array_equal(found, [[0.5, 0, 0.5], [0, 0, 0]])
