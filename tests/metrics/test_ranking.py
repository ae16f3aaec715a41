from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn
from scipy import stats

from gogooku3.metrics import ranking

S = 14
values = st.one_of(st.integers(-2, 2).map(float), st.floats(-100, 100, width=32), st.just(np.nan))
matrices = stn.arrays(np.float64, (3, S), elements=values)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def by_session(statistic, scores_TS, targets_TS):
    """Reference: one session at a time, over the stocks that have both."""
    expected = []
    for scores_S, targets_S in zip(scores_TS, targets_TS, strict=True):
        both = np.isfinite(scores_S) & np.isfinite(targets_S)
        x, y = scores_S[both], targets_S[both]
        enough = both.sum() >= ranking.MIN_STOCKS and len(np.unique(x)) > 1 and len(np.unique(y)) > 1
        expected.append(statistic(x, y) if enough else np.nan)
    return expected


@given(matrices, matrices)
def test_rank_ic_is_spearmans_correlation(scores, targets):
    expected = by_session(lambda x, y: stats.spearmanr(x, y).statistic, scores, targets)
    np.testing.assert_allclose(ranking.rank_ic(scores, targets), expected, atol=1e-12)


def test_ic_is_pearsons_correlation():
    scores, targets = noise(30, S), noise(30, S, seed=1)
    scores[:, 3], targets[4] = np.nan, np.nan
    expected = by_session(lambda x, y: stats.pearsonr(x, y).statistic, scores, targets)
    assert np.isnan(expected).sum() == 1
    np.testing.assert_allclose(ranking.ic(scores, targets), expected, atol=1e-12)


def test_a_rising_transform_of_the_scores_leaves_rank_ic_as_it_is():
    scores, targets = noise(20, S), noise(20, S, seed=1)
    np.testing.assert_array_equal(ranking.rank_ic(np.exp(3 * scores), targets), ranking.rank_ic(scores, targets))


def test_a_perfect_order_has_rank_ic_one_and_its_reverse_minus_one():
    targets = noise(5, S)
    np.testing.assert_allclose(ranking.rank_ic(targets**3, targets), 1.0, rtol=1e-14)
    np.testing.assert_allclose(ranking.rank_ic(-targets, targets), -1.0, rtol=1e-14)


@pytest.mark.parametrize("metric", [ranking.ic, ranking.rank_ic, ranking.hit_rate])
def test_a_session_is_undefined_with_too_few_stocks_or_without_differences(metric):
    scores, targets = noise(4, S), noise(4, S, seed=1)
    scores[0, ranking.MIN_STOCKS - 1 :] = np.nan
    scores[1] = 0.1
    targets[2] = 0.1
    np.testing.assert_array_equal(np.isnan(metric(scores, targets)), [True, True, True, False])
    scores[0, ranking.MIN_STOCKS - 1] = 5.0
    assert np.isfinite(metric(scores, targets)[0])


def test_populated_sessions_counts_those_with_enough_pairs():
    scores, targets = noise(3, S), noise(3, S)
    scores[0, :3], targets[0, 3:5] = np.nan, np.nan
    assert ranking.populated_sessions(scores, targets) == 2


def test_hit_rate_by_hand():
    # Median score between 5 and 6, median target between 0 and 1: stocks 1-5 are low, 6-10 high.
    scores = np.arange(1.0, 11.0)[None]
    targets = np.array([[-5.0, -4.0, -3.0, 9.0, 8.0, 7.0, 6.0, 1.0, -1.0, 0.0]])
    # Low scores with low targets: stocks 1, 2, 3; high with high: 6, 7, 8.
    assert ranking.hit_rate(scores, targets)[0] == 6 / 10


def test_hit_rate_leaves_out_stocks_on_a_median():
    scores = np.arange(1.0, 12.0)[None]
    assert ranking.hit_rate(scores, scores)[0] == 1.0
    swapped = scores.copy()
    swapped[0, [0, 10]] = swapped[0, [10, 0]]
    assert ranking.hit_rate(scores, swapped)[0] == 8 / 10


def test_chance_hits_half_however_skewed_the_targets():
    rng = np.random.default_rng(3)
    rates = ranking.hit_rate(np.exp(rng.standard_normal((4000, 20))), rng.standard_exponential((4000, 20)))
    assert abs(rates.mean() - 0.5) < 4 * rates.std() / math.sqrt(4000)


def test_quantile_returns_by_hand():
    scores = np.array([[30, 10, 20, 40, 60, 50, 80, 70, 100, 90, np.nan]])
    targets = np.array([[3, 1, 2, 4, 6, 5, 8, 7, 10, 9, 1000]]) / 100
    np.testing.assert_allclose(
        ranking.quantile_returns(scores, targets, 5), [[-0.04, -0.02, 0.0, 0.02, 0.04]], atol=1e-15
    )


def test_stocks_with_equal_scores_share_a_quantile():
    scores = np.array([[1.0] * 6 + [2.0] * 6])
    targets = np.array([[0.0] * 6 + [0.1] * 6])
    # The lowest of six equal scores is the first or the seventh of twelve: 0 · 4/11 and 6 · 4/11 round up to 0 and 3.
    np.testing.assert_allclose(ranking.quantile_returns(scores, targets, 4), [[-0.05, np.nan, 0.05, np.nan]])


@given(st.integers(10, 80), st.integers(2, 10), st.integers(0, 1000))
def test_quantiles_are_those_of_pandas(stocks, quantiles, seed):
    scores = np.random.default_rng(seed).permutation(stocks).astype(float)[None] ** 2
    expected = pd.qcut(scores[0], quantiles, labels=False) + 1
    np.testing.assert_array_equal(ranking.quantiles_of(scores, scores, quantiles)[0], expected)


@given(matrices, matrices, st.integers(2, S))
def test_quantile_returns_are_the_means_of_the_members_and_weighted_by_size_sum_to_nothing(scores, targets, quantiles):
    member_TS = ranking.quantiles_of(scores, targets, quantiles)
    means_TQ = ranking.quantile_returns(scores, targets, quantiles)
    for scores_S, targets_S, member_S, means_Q in zip(scores, targets, member_TS, means_TQ, strict=True):
        both = np.isfinite(scores_S) & np.isfinite(targets_S)
        if both.sum() < max(quantiles, ranking.MIN_STOCKS) or len(np.unique(scores_S[both])) < 2:
            assert not member_S.any()
            assert np.isnan(means_Q).all()
            continue
        np.testing.assert_array_equal(member_S > 0, both)
        sizes = np.bincount(member_S[both] - 1, minlength=quantiles)
        np.testing.assert_array_equal(np.isnan(means_Q), sizes == 0)
        assert abs(np.nansum(means_Q * sizes)) < 1e-6
        order = np.argsort(scores_S[both])
        assert (np.diff(member_S[both][order]) >= 0).all()


def test_a_known_signal_is_recovered_as_its_correlation():
    strength = 0.3
    signal, rest = noise(400, 200), noise(400, 200, seed=1)
    targets = strength * signal + math.sqrt(1 - strength**2) * rest
    standard_error = 1 / math.sqrt(400 * 200)
    assert abs(ranking.ic(signal, targets).mean() - strength) < 4 * standard_error
    # Spearman's correlation of a bivariate normal is 6/π arcsin(ρ/2).
    planted_rank = 6 / math.pi * math.asin(strength / 2)
    assert abs(ranking.rank_ic(signal, targets).mean() - planted_rank) < 4 * standard_error
