"""Metrics of a track of returns, compared with empyrical and quantstats."""

from __future__ import annotations

import math

import empyrical
import numpy as np
import pandas as pd
import pytest
import quantstats

from gogooku3.metrics import track
from gogooku3.metrics.returns import sharpe


@pytest.fixture(params=[0, 1, 2])
def returns(request: pytest.FixtureRequest) -> pd.Series:
    """Three years of business days; one track gains, one loses, one does neither."""
    rng = np.random.default_rng(request.param)
    values = (0.0008, -0.0008, 0.0)[request.param] + 0.01 * rng.standard_t(4, 750)
    return pd.Series(values, index=pd.bdate_range("2020-01-01", periods=750))


def test_risk_and_return_are_those_of_empyrical(returns: pd.Series) -> None:
    values = returns.to_numpy()
    pairs = (
        (track.volatility(values, 252), empyrical.annual_volatility(returns)),
        (track.compound_annual_return(values, 252), empyrical.cagr(returns)),
        (track.max_drawdown(values), empyrical.max_drawdown(returns)),
        (track.sortino(values, 252), empyrical.sortino_ratio(returns)),
        (track.calmar(values, 252), empyrical.calmar_ratio(returns)),
        (track.value_at_risk(values), empyrical.value_at_risk(returns, cutoff=0.05)),
        (track.expected_shortfall(values), empyrical.conditional_value_at_risk(returns, cutoff=0.05)),
    )
    for ours, theirs in pairs:
        assert float(ours) == pytest.approx(theirs, rel=1e-9)


def test_sortino_and_drawdown_are_those_of_quantstats(returns: pd.Series) -> None:
    values = returns.to_numpy()
    assert float(track.sortino(values, 252)) == pytest.approx(quantstats.stats.sortino(returns, periods=252), rel=1e-9)
    assert float(track.max_drawdown(values)) == pytest.approx(quantstats.stats.max_drawdown(returns), rel=1e-9)


def test_many_series_at_once_give_the_values_of_each() -> None:
    many = 0.01 * np.random.default_rng(0).standard_normal((7, 90))
    statistics = (
        track.max_drawdown,
        track.value_at_risk,
        track.expected_shortfall,
        lambda each: track.sortino(each, 245),
        lambda each: track.calmar(each, 245),
        lambda each: track.volatility(each, 245),
    )
    for statistic in statistics:
        np.testing.assert_array_equal(statistic(many), [statistic(one) for one in many])


def test_a_ratio_without_a_loss_is_undefined_and_a_lost_capital_has_no_annual_return() -> None:
    gains = np.array([0.01, 0.0, 0.02])
    assert math.isnan(track.sortino(gains, 252))
    assert math.isnan(track.calmar(gains, 252))
    assert track.max_drawdown(gains) == 0
    assert math.isnan(track.compound_annual_return(np.array([0.1, -1.0]), 252))


def test_the_worst_drawdowns_are_those_of_quantstats(returns: pd.Series) -> None:
    found = track.worst_drawdowns(returns.to_numpy(), returns.index.to_numpy().astype("datetime64[D]"))
    series = quantstats.stats.to_drawdown_series(returns)
    theirs = quantstats.stats.drawdown_details(series).sort_values("max drawdown").head(5)
    assert [each["depth"] for each in found] == pytest.approx(theirs["max drawdown"] / 100, rel=1e-9)
    assert [each["peak"] for each in found] == [str(date)[:10] for date in theirs["start"]]
    assert [each["trough"] for each in found] == [str(date)[:10] for date in theirs["valley"]]


def test_a_drawdown_has_its_peak_trough_and_recovery() -> None:
    returns = np.array([0.1, -0.1, -0.1, 0.05, 0.3, -0.02, -0.5, 0.1])
    dates = np.arange("2024-01-01", "2024-01-09", dtype="datetime64[D]")
    assert track.worst_drawdowns(returns, dates) == [
        {
            "depth": pytest.approx(0.98 * 0.5 - 1),
            "peak": "2024-01-06",
            "trough": "2024-01-07",
            "recovery": None,
            "sessions": 3,
        },
        {
            "depth": pytest.approx(0.81 - 1),
            "peak": "2024-01-02",
            "trough": "2024-01-03",
            "recovery": "2024-01-05",
            "sessions": 3,
        },
    ]
    assert track.worst_drawdowns(np.array([0.1, 0.0, 0.1]), dates[:3]) == []
    # A track that starts with a loss falls from its start.
    assert track.worst_drawdowns(np.array([-0.1, 0.2]), dates[:2])[0]["peak"] == "2024-01-01"


def test_months_are_those_of_empyrical(returns: pd.Series) -> None:
    found = track.months(returns.to_numpy(), returns.index.to_numpy().astype("datetime64[D]"))
    theirs = empyrical.aggregate_returns(returns, "monthly")
    assert [row["return"] for row in found["grid"]] == pytest.approx(theirs.to_numpy(), rel=1e-9)
    assert [row["month"] for row in found["grid"]] == [f"{year}-{month:02}" for year, month in theirs.index]
    assert sum(row["sessions"] for row in found["grid"]) == len(returns)
    assert found["months"] == len(theirs)
    assert found["positive_share"] == pytest.approx((theirs > 0).mean())


def test_the_histogram_counts_every_return() -> None:
    returns = np.random.default_rng(0).standard_normal(500)
    found = track.histogram(returns)
    assert sum(found["counts"]) == 500
    assert len(found["edges"]) == len(found["counts"]) + 1 == track.BINS + 1
    assert (found["edges"][0], found["edges"][-1]) == (returns.min(), returns.max())
    inside = (returns >= found["edges"][3]) & (returns < found["edges"][4])
    assert found["counts"][3] == inside.sum()
    assert track.histogram(np.full(3, np.nan)) == {"edges": [], "counts": []}


def test_the_rolling_sharpe_ratio_is_that_of_empyrical(returns: pd.Series) -> None:
    ours = sharpe(track.windows(returns.to_numpy(), 60))
    np.testing.assert_allclose(ours, empyrical.roll_sharpe_ratio(returns, window=60), rtol=1e-9)
    assert track.windows(np.ones(59), 60).shape == (0, 60)
