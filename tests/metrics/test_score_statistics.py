"""Statistics of scores, compared with alphalens, SciPy and statsmodels."""

from __future__ import annotations

import math

import alphalens
import empyrical
import numpy as np
import pandas as pd
import pytest
import scipy.stats
import statsmodels.api as sm

from gogooku3.metrics.ranking import rank_ic
from gogooku3.metrics.score_statistics import (
    decayed_rank_ic,
    fama_macbeth_slopes,
    information_ratio_of_ic,
    monotonicity,
    score_autocorrelation,
)


def scores_and_returns(sessions: int = 40, stocks: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Scores that persist and are right about the next return."""
    rng = np.random.default_rng(0)
    scores_TS = rng.standard_normal((sessions, stocks))
    for t in range(1, sessions):
        scores_TS[t] += 0.8 * scores_TS[t - 1]
    return scores_TS, 0.01 * (0.3 * scores_TS + rng.standard_normal((sessions, stocks)))


def test_the_ratio_of_the_ic_is_its_mean_by_its_deviation() -> None:
    """alphalens' risk-adjusted IC, as its tear sheet prints it; a Sharpe ratio that is not annualised."""
    series = np.random.default_rng(1).normal(0.03, 0.1, (3, 200))
    for values, ratio in zip(series, information_ratio_of_ic(series), strict=True):
        table = alphalens.plotting.plot_information_table(pd.DataFrame({"1D": values}), return_df=True).T
        assert ratio == pytest.approx(values.mean() / values.std(ddof=1), rel=1e-12)
        assert ratio == pytest.approx(table.loc["Risk-Adjusted IC", "1D"], rel=1e-9)
        assert ratio == pytest.approx(empyrical.sharpe_ratio(pd.Series(values), annualization=1), rel=1e-9)
    assert np.isnan(information_ratio_of_ic(np.full((2, 9), 0.1))).all()
    assert np.isnan(information_ratio_of_ic(np.ones((2, 1)))).all()


def test_the_decay_pairs_a_score_with_the_return_that_starts_so_many_sessions_later() -> None:
    scores_TS, returns_TS = scores_and_returns()
    late_TS = np.concatenate([np.full((3, 30), np.nan), scores_TS])[:40]
    assert np.nanmean(decayed_rank_ic(scores_TS, returns_TS, 0)) == pytest.approx(rank_ic(scores_TS, returns_TS).mean())
    series_T = decayed_rank_ic(scores_TS, returns_TS, 3)
    np.testing.assert_array_equal(series_T[:37], rank_ic(late_TS, returns_TS)[3:])
    assert np.isnan(series_T[37:]).all()
    found = [np.nanmean(decayed_rank_ic(scores_TS, returns_TS, lag)) for lag in (0, 1, 5, 20)]
    assert found == sorted(found, reverse=True)
    assert np.isnan(decayed_rank_ic(scores_TS, returns_TS, 40)).all()


def test_the_autocorrelation_is_that_of_alphalens() -> None:
    scores_TS, _ = scores_and_returns()
    dates = pd.date_range("2024-01-01", periods=40, name="date")
    index = pd.MultiIndex.from_product([dates, [f"s{number}" for number in range(30)]], names=["date", "asset"])
    factor = pd.DataFrame({"factor": scores_TS.ravel()}, index=index)
    theirs = alphalens.performance.factor_rank_autocorrelation(factor, period=1)
    np.testing.assert_allclose(score_autocorrelation(scores_TS), theirs.to_numpy(), rtol=1e-9)


def test_monotonicity_is_spearmans_correlation() -> None:
    rng = np.random.default_rng(0)
    for means_Q in (rng.standard_normal(5), rng.standard_normal(10), np.array([0.1, 0.1, 0.3])):
        expected = scipy.stats.spearmanr(np.arange(len(means_Q)), means_Q).statistic
        assert monotonicity(means_Q) == pytest.approx(expected, rel=1e-12)
    assert monotonicity(np.array([-0.3, 0.1, 0.2, 0.9])) == 1
    assert math.isnan(monotonicity(np.full(5, 0.1)))
    assert math.isnan(monotonicity(np.array([0.1, np.nan])))


def test_fama_macbeth_slopes_are_those_of_statsmodels() -> None:
    scores_TS, returns_TS = scores_and_returns()
    scores_TS[:, 3], returns_TS[7, 9] = np.nan, np.nan
    slopes_T = fama_macbeth_slopes(scores_TS, returns_TS)
    expected = []
    for scores_S, returns_S in zip(scores_TS, returns_TS, strict=True):
        both = np.isfinite(scores_S) & np.isfinite(returns_S)
        z = (scores_S[both] - scores_S[both].mean()) / scores_S[both].std()
        expected.append(sm.OLS(returns_S[both], sm.add_constant(z)).fit().params[1])
    np.testing.assert_allclose(slopes_T, expected, rtol=1e-9)


def test_a_session_with_few_stocks_or_equal_scores_has_no_slope() -> None:
    scores_TS, returns_TS = scores_and_returns(3, 12)
    scores_TS[0], scores_TS[1, 3:] = 0.1, np.nan
    assert list(np.isnan(fama_macbeth_slopes(scores_TS, returns_TS))) == [True, True, False]
