"""The evaluation of the best possible scores of a synthetic market agrees with theory.

Scores in proportion to expected returns are the weights of the portfolio that the fundamental law of active management
speaks of (Grinold, 1989): with a correlation of s between score and return over N stocks its Sharpe ratio per session
is s·√N. Here it is less, as far as the weights are large where returns vary most, or of one sign where returns move
together.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import cache

import numpy as np
import pytest

from gogooku3.config.quotes import Inputs, Planted, SyntheticQuotes
from gogooku3.evaluation.evaluate import Outcome, evaluate
from gogooku3.sources.source import make
from gogooku3.sources.synthetic import shocks, universe
from gogooku3.sources.synthetic.alpha_signals import HORIZONS

from .conftest import PARAMS, calm, forward_returns, prices_after, traded_with

EFFECTS = ("slow", "reversal", "frequency", "neighbours")
STRENGTH = 0.06
STOCKS, CLUSTER = 200, 6
FREE = replace(traded_with(PARAMS, cost_bps=0.0, delay=0, horizon=1), quantiles=5)


def market(*planted: str) -> SyntheticQuotes:
    return SyntheticQuotes(
        source="synthetic",
        inputs=Inputs(bars="-", listed="-", index="-"),
        seed=11,
        stocks=STOCKS,
        start=date(2021, 1, 4),
        end=date(2023, 12, 29),
        sectors=10,
        cluster_size=CLUSTER,
        listed_later=0.0,
        delisted=0.0,
        suspended=0.0,
        splits=0.0,
        planted=Planted(**{name: STRENGTH * (name in planted) for name in EFFECTS}),
    )


@pytest.fixture(scope="module")
def measured() -> Callable[..., tuple[dict, dict]]:
    """The metrics of a market's oracle, and their theoretical values."""

    @cache
    def measures_of(*planted: str) -> tuple[dict, dict]:
        made = make(market(*planted))
        assert made.oracle is not None
        shape = (made.index.height, STOCKS)
        close_TS = made.bars["Close"].to_numpy().reshape(shape)
        scores_TSH = np.stack([made.oracle.scores[f"oracle_{h}"].to_numpy().reshape(shape) for h in HORIZONS], axis=-1)
        returns_TS = np.vstack([close_TS[1:] / close_TS[:-1] - 1, np.full((1, STOCKS), np.nan)])
        sessions = made.index["Date"].to_numpy().astype("datetime64[D]")
        outcome = Outcome(
            forward_returns(returns_TS, HORIZONS), sessions, HORIZONS, calm(*shape, prices_after(returns_TS))
        )
        return evaluate(scores_TSH, outcome, FREE, scores_TSH).metrics, made.oracle.summary["horizons"]

    return measures_of


def theory(*planted: str) -> float:
    """Annual Sharpe ratio of the portfolio in proportion to the expected returns.

    Per session, in units of the variance D² of returns across stocks: mean Σα²/Σ|α| and variance Σα²v/(Σ|α|)², v being
    a stock's own variance, to which its covariance with the rest of its cluster is added where the weights of a cluster
    are alike.
    """
    drawn = universe.draw(market(*planted))
    own = shocks.STOCK**2 * (1 - CLUSTER / STOCKS * shocks.CLUSTER_SHARE)
    shared = shocks.dispersion(drawn, 1.0) - own
    explained = len(planted) * STRENGTH**2
    spread = shocks.dispersion(drawn, 1.0) / (1 - explained)
    t = 2 * shocks.STATE_SPREAD
    of_slow, of_scaled = 1 + t**2, math.exp(t**2)  # E u²g² and E g⁴
    m = CLUSTER - 1
    together = m * (m - 1) / m * (shocks.CLUSTER_SHARE * shocks.STOCK**2 + shocks.SECTOR**2)
    variance = dict.fromkeys(EFFECTS, shared + own * of_scaled) | {"slow": shared + own * of_slow}
    variance["neighbours"] += together
    risk = np.mean([variance[name] for name in planted])
    return math.sqrt(252 * STOCKS * len(planted) * STRENGTH**2 * spread / risk)


CASES = [EFFECTS, *(pytest.param((name,), marks=pytest.mark.slow) for name in EFFECTS)]


@pytest.mark.parametrize("planted", CASES, ids="+".join)
def test_the_oracles_sharpe_ratio_is_that_of_the_fundamental_law(measured, planted):
    metrics, _ = measured(*planted)
    expected = theory(*planted)
    error = math.sqrt((1 + expected**2 / 252 / 2) / metrics["sessions"]) * math.sqrt(252)
    assert metrics["sharpe"]["value"] == pytest.approx(expected, abs=3 * error + 0.05 * expected)
    assert metrics["sharpe"]["low"] > expected / 2


@pytest.mark.parametrize("planted", CASES, ids="+".join)
def test_the_oracles_rank_ic_agrees_with_theory_and_has_fraction_one(measured, planted):
    metrics, theory = measured(*planted)
    for horizon in HORIZONS:
        found = metrics["rank_ic"][str(horizon)]
        width = (found["high"] - found["low"]) / 2
        assert found["value"] == pytest.approx(theory[str(horizon)]["rank_ic"], abs=1.5 * width)
        assert metrics["oracle"]["fraction"][str(horizon)] == pytest.approx(1)
