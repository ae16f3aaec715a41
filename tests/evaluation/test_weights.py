from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn

from gogooku3.evaluation.weights import MAX_GROWTH, equal_weights, score_weights

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
    for free_S, weights_S in zip(free, found, strict=True):
        if not 0 < np.abs(weights_S).sum() < 1 - 1e-9:
            continue
        # Gross exposure is lower only if every group's smaller side is at the cap, or has grown as far as it may.
        for members in groups:
            full_S = np.minimum(np.abs(free_S[members]) * MAX_GROWTH, cap)
            signs, held_S = np.sign(free_S[members]), np.abs(weights_S[members])
            smaller = min((full_S[signs == side].sum(), side) for side in (1, -1))
            np.testing.assert_allclose(held_S[signs == smaller[1]].sum(), smaller[0], rtol=1e-9)
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


@st.composite
def universes(draw):
    """Scores of 8 to 40 stocks, sectors, and a cap from the average position to half of the capital."""
    stocks = draw(st.integers(8, 40))
    seed, skew = draw(st.integers(0, 10**6)), draw(st.sampled_from([0.0, 1.0, 3.0]))
    drawn_S = np.random.default_rng(seed).standard_normal(stocks)
    scores_S = drawn_S + skew * np.maximum(drawn_S, 0) ** 2
    cap = draw(st.sampled_from([0.5, 0.2, 0.1, 0.05, 0.03]))
    return scores_S, tuple("ABC"[stock % 3] for stock in range(stocks)), cap, draw(st.booleans())


def of_universe(scores_S, sectors, cap, neutral):
    params = replace(PORTFOLIO, max_weight=cap, sector_neutral=neutral)
    return score_weights(scores_S[None], sectors, params)[0]


def distance(one_S, other_S):
    return np.abs(one_S - other_S).sum()


@given(universes(), st.data())
def test_a_small_change_of_a_score_is_a_small_change_of_the_weights(universe, data):
    """Also where a stock crosses the mean of its sector, at which the number of stocks of a side changes."""
    scores_S, sectors, cap, neutral = universe
    stock = data.draw(st.integers(0, len(scores_S) - 1))
    group_S = np.array(sectors) == sectors[stock] if neutral else np.full(len(sectors), True)
    others_S = group_S & (np.arange(len(scores_S)) != stock)
    below_S, above_S = scores_S.copy(), scores_S.copy()
    if data.draw(st.booleans()):
        below_S[stock] = scores_S[others_S].mean() - 1e-9
    above_S[stock] = below_S[stock] + 2e-9
    below, above = (of_universe(each, sectors, cap, neutral) for each in (below_S, above_S))
    free = [of_universe(each, sectors, None, neutral) for each in (below_S, above_S)]
    assert distance(below, above) <= 6 * MAX_GROWTH * distance(*free) + 1e-12


@given(universes())
def test_a_larger_score_never_has_the_smaller_weight(universe):
    scores_S, sectors, _, neutral = universe
    found = of_universe(*universe)
    for sector in set(sectors) if neutral else {None}:
        members = np.array([sector in (None, name) for name in sectors])
        in_order = found[members][np.argsort(scores_S[members])]
        assert (np.diff(in_order) >= -1e-12).all()


@given(universes(), st.data())
def test_a_stock_whose_score_rises_has_no_smaller_weight(universe, data):
    scores_S, sectors, cap, _ = universe
    stock, step = data.draw(st.integers(0, len(scores_S) - 1)), data.draw(st.sampled_from([1e-6, 0.01, 0.3, 2.0]))
    higher_S = scores_S.copy()
    higher_S[stock] += step
    before, after = (of_universe(each, sectors, cap, False)[stock] for each in (scores_S, higher_S))
    assert after >= before - 1e-12


@given(universes())
def test_a_cap_that_does_not_bind_changes_nothing(universe):
    scores_S, sectors, cap, neutral = universe
    free = of_universe(scores_S, sectors, None, neutral)
    wide = min(max(np.abs(free).max(), cap), 0.5)
    np.testing.assert_array_equal(of_universe(scores_S, sectors, wide, neutral), free)


@pytest.mark.parametrize("short", [9, 10, 11])
def test_the_side_that_the_cap_does_not_limit_keeps_its_proportions(short):
    """Nine stocks of 5 % cannot fill the short side, ten just can: the long side is in proportion with all of them."""
    scores_S = np.concatenate([np.linspace(1, 20, 20), np.full(short, -210.0 / short)])
    found = of_universe(scores_S, ("A",) * len(scores_S), 0.05, False)
    np.testing.assert_allclose(found[20:], -min(0.05, 0.5 / short))
    np.testing.assert_allclose(found[:20] / found[0], np.minimum(np.arange(1.0, 21), 0.05 / found[0]))
    assert found[18] / found[0] > 18


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


@given(universes(), st.integers(0, 10**6))
def test_without_some_short_sales_the_weights_stay_neutral_within_cap_and_gross(universe, seed):
    scores_S, sectors, cap, neutral = universe
    shortable_S = np.random.default_rng(seed).random(len(scores_S)) < 0.5
    params = replace(PORTFOLIO, max_weight=cap, sector_neutral=neutral)
    found = score_weights(scores_S[None], sectors, params, shortable_S[None])[0]
    free = of_universe(scores_S, sectors, None, neutral)
    assert (found[~shortable_S] >= 0).all()
    for sector in set(sectors) if neutral else {None}:
        members = np.array([sector in (None, name) for name in sectors])
        assert found[members].sum() == pytest.approx(0, abs=1e-12)
    assert np.abs(found).sum() <= 1 + 1e-12
    assert np.abs(found).max() <= cap + 1e-15
    np.testing.assert_array_equal(found > 0, (free > 0) & (np.abs(found) > 0))
    everywhere = score_weights(scores_S[None], sectors, params, np.ones((1, len(scores_S)), bool))[0]
    np.testing.assert_array_equal(everywhere, of_universe(*universe))


def test_other_short_positions_grow_in_place_of_an_impossible_one():
    shortable = np.array([[True, True, True, False, True, True, True, True]])
    params = replace(PORTFOLIO, max_weight=None)
    found = score_weights(np.array([[5.0, 3, -2, -4, -2, *[np.nan] * 3]]), SECTORS, params, shortable)
    np.testing.assert_allclose(found, [[5 / 16, 3 / 16, -0.25, 0, -0.25, 0, 0, 0]])
    # A single short position of 1/32 grows tenfold, and the long side is no larger.
    few = np.array([[16.0, 0, 0, -1, -15, *[np.nan] * 3]])
    found = score_weights(few, SECTORS, params, np.array([[True] * 4 + [False] + [True] * 3]))
    np.testing.assert_allclose(found, [[10 / 32, 0, 0, -10 / 32, 0, 0, 0, 0]])
