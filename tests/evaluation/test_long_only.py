from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gogooku3.evaluation.evaluate import evaluate
from gogooku3.evaluation.long_only import metrics, spread_returns, top_k
from gogooku3.metrics.returns import sharpe

from .conftest import PARAMS, calm, market, outcome_of, prices_after, prices_of, sessions_of, traded_with

FREE = traded_with(PARAMS, delay=0, cost_bps=0.0)


def dropout(scores_TS, k, drop):
    """Reference: sets of stocks, as the documentation of qlib's TopkDropout describes them. Scores are distinct."""
    held, sets = [], []
    for row in scores_TS:
        score = dict(enumerate(row))
        others = sorted((s for s in score if s not in held and not math.isnan(score[s])), key=lambda s: -score[s])
        others = others[: drop + k - len(held)]
        together = sorted(held + others, key=lambda s: (math.inf if math.isnan(score[s]) else -score[s], s))
        sold = [s for s in together[-drop:] if s in held]
        bought = others[: len(sold) + k - len(held)]
        held = [s for s in held if s not in sold] + bought
        sets.append(set(held))
    return sets


@given(st.integers(0, 10**6), st.integers(1, 8), st.integers(1, 12), st.floats(0, 0.3))
def test_the_held_stocks_are_those_of_topk_dropout(seed, k, holding, missing):
    rng = np.random.default_rng(seed)
    scores_TS = rng.standard_normal((12, 20)).cumsum(axis=0)
    scores_TS[rng.random(scores_TS.shape) < missing] = np.nan
    weights_TS = top_k(scores_TS, k, holding)
    assert [set(np.flatnonzero(row)) for row in weights_TS] == dropout(scores_TS, k, math.ceil(k / holding))
    np.testing.assert_allclose(weights_TS.sum(axis=1), 1)
    assert ((weights_TS == 0) | np.isclose(weights_TS, 1 / (weights_TS > 0).sum(axis=1, keepdims=True))).all()


def test_the_mean_holding_period_is_that_of_the_parameter():
    """Scores without memory replace as many stocks as they may, less the few that stay among the best."""
    scores_TS = np.random.default_rng(0).standard_normal((300, 400))
    changes = np.diff((top_k(scores_TS, 20, 5) > 0).astype(int), axis=0)
    assert (changes == 1).sum(axis=1).max() == 4
    assert (changes == 1).sum(axis=1).mean() > 3.9


def test_equal_scores_change_nothing():
    scores_TS = np.array([[0.1] * 4, [1, 2, 3, 4], [0.1] * 4, [np.nan] * 4])
    np.testing.assert_array_equal(top_k(scores_TS, 2, 1), [[0] * 4] + [[0, 0, 0.5, 0.5]] * 3)


def competition(frame: pd.DataFrame, size: int) -> pd.Series:
    """The competition's spread per day from its definition: weights 2 to 1 down the ranks of either end."""
    weights = np.linspace(2, 1, size)

    def of_day(day: pd.DataFrame) -> float:
        ends = [day.sort_values("Rank", ascending=ascending)["Target"].to_numpy()[:size] for ascending in (True, False)]
        bought, sold = ((targets * weights).sum() / weights.mean() for targets in ends)
        return bought - sold

    return pd.Series({date: of_day(day) for date, day in frame.groupby("Date")})


def test_the_spread_is_that_of_the_competition():
    rng = np.random.default_rng(3)
    scores_TS, returns_TS = rng.standard_normal((15, 60)), 0.02 * rng.standard_normal((15, 60))
    rank_TS = (-scores_TS).argsort(axis=1).argsort(axis=1)
    day_TS = np.repeat(np.arange(15)[:, None], 60, axis=1)
    frame = pd.DataFrame({"Date": day_TS.ravel(), "Rank": rank_TS.ravel(), "Target": returns_TS.ravel()})
    expected = competition(frame, 20)
    np.testing.assert_allclose(spread_returns(scores_TS, returns_TS, 20), expected, rtol=1e-12)
    found = metrics(scores_TS, calm(15, 60, prices_after(returns_TS)), sessions_of(15), traded_with(FREE, top_k=20))
    assert found["spread"]["mean"] == pytest.approx(expected.mean(), rel=1e-9)
    assert found["spread"]["deviation"] == pytest.approx(expected.std(), rel=1e-9)
    assert found["spread"]["ratio"]["value"] == pytest.approx(expected.mean() / expected.std(), rel=1e-9)
    assert found["spread"]["ratio"]["low"] < found["spread"]["ratio"]["value"] < found["spread"]["ratio"]["high"]
    assert found["spread"]["sessions"] == 15


def test_by_hand_the_spread_of_two_and_two():
    # Weights 2 and 1, mean 1.5.
    spread = spread_returns(np.array([[4.0, 3, np.nan, 2, 1]]), np.array([[0.03, 0.0, 9.0, 0.01, -0.03]]), 2)
    np.testing.assert_allclose(spread, (2 * 0.03 - (2 * -0.03 + 0.01)) / 1.5)


def test_a_session_with_too_few_or_equal_scores_has_no_spread():
    scores_TS = np.array([[1, 2, 3, np.nan], [5, 5, 5, 5.0], [1, 2, 3, 4]])
    assert np.isnan(spread_returns(scores_TS, np.zeros((3, 4)), 2)).tolist() == [True, True, False]
    assert np.isnan(spread_returns(scores_TS, np.zeros((3, 4)), 3)).all()


def test_the_spread_of_a_session_is_earned_after_the_delay():
    scores, targets = market(strength=0.3)
    late, early = (
        metrics(scores[..., 0], outcome_of(targets).market_state, sessions_of(80), traded_with(FREE, delay=delay))
        for delay in (1, 0)
    )
    assert early["spread"]["ratio"]["low"] > 0
    assert late["spread"]["ratio"]["low"] < 0 < late["spread"]["ratio"]["high"]
    assert (early["spread"]["sessions"], late["spread"]["sessions"]) == (79, 78)


def test_the_portfolio_is_compared_with_the_index():
    rng = np.random.default_rng(5)
    returns_TS, index_T = 0.02 * rng.standard_normal((60, 12)), 0.01 * rng.standard_normal(60)
    index_T[7] = np.nan
    market_state = replace(calm(60, 12, prices_after(returns_TS)), next_index_return_T=index_T)
    scores_TS = np.tile(np.arange(12.0), (60, 1))  # always the last five
    found = metrics(scores_TS, market_state, sessions_of(60), FREE)
    net_T = returns_TS[:, 7:].mean(axis=1)
    excess = np.delete(net_T - index_T, 7)
    assert found["annual_return"] == pytest.approx(252 * net_T.mean())
    assert found["annual_volatility"] == pytest.approx(math.sqrt(252) * net_T.std(ddof=1))
    assert found["sharpe"] == pytest.approx(float(sharpe(net_T)))
    wealth = np.append(1, np.cumprod(1 + net_T))
    assert found["max_drawdown"] == pytest.approx((wealth / np.maximum.accumulate(wealth) - 1).min())
    assert found["excess"]["annual_return"] == pytest.approx(252 * excess.mean())
    assert found["excess"]["annual_volatility"] == pytest.approx(math.sqrt(252) * excess.std(ddof=1))
    ratio = found["excess"]["information_ratio"]
    assert ratio["value"] == pytest.approx(math.sqrt(252) * excess.mean() / excess.std(ddof=1))
    assert ratio["low"] < ratio["value"] < ratio["high"]
    total = pd.Series(excess).cumsum()
    assert found["excess"]["max_drawdown"] == pytest.approx((total - total.cummax()).min())


def test_a_delisted_stock_is_in_spread_and_portfolio_with_its_delisting_return():
    close_TS = np.ones((30, 12))
    close_TS[10:, 11] = np.nan
    scores_TS = np.where(np.isnan(close_TS), np.nan, np.arange(12.0))
    market_state = calm(30, 12, prices_of(close_TS, {11: 10}))
    found = metrics(scores_TS, market_state, sessions_of(30), traded_with(FREE, delisting_return=-0.3, top_k=2))
    # The best of two: weight 2 of a mean of 1.5; half of the portfolio.
    assert found["spread"]["mean"] == pytest.approx(-0.3 * 2 / 1.5 / 29)
    assert found["annual_return"] == pytest.approx(-0.15 / 29 * 252)


def test_without_a_position_every_number_is_undefined():
    found = metrics(np.full((30, 12), 0.1), calm(30, 12), sessions_of(30), FREE)
    assert {found[name] for name in ("annual_return", "annual_volatility", "sharpe", "turnover")} == {None}
    assert found["max_drawdown"] is None
    assert found["excess"]["information_ratio"] == {"value": None, "low": None, "high": None}
    assert found["spread"] == {
        "mean": None,
        "deviation": None,
        "ratio": {"value": None, "low": None, "high": None},
        "sessions": 0,
    }


def test_evaluate_reports_the_traded_horizon():
    scores, targets = market(strength=0.3)
    scores[..., 0] = np.nan
    outcome = outcome_of(targets)
    expected = metrics(scores[..., 1], outcome.market_state, outcome.sessions, PARAMS)
    assert evaluate(scores, outcome, PARAMS).metrics["long_only"] == expected
