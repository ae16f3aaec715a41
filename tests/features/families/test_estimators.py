"""Estimators recover the simulated volatility and bid-ask spread of a Brownian motion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gogooku3.features.market import Market
from gogooku3.features.registry import select

BY_NAME = {feature.name: feature for feature in select("full")}
TRADES = 1000
"""In a session; the range of so many is 3 % narrower than that of a path without gaps."""
DAY, NIGHT, SPREAD = 0.02, 0.01, 0.01


def traded(market: Market, day: float, night: float, spread: float) -> Market:
    """Every stock follows a Brownian motion without drift and is traded now at the bid, now at the ask."""
    draw = np.random.Generator(np.random.Philox(21))
    log_close = np.full(len(market.codes), np.log(1000.0))
    bars = np.empty((4, *market.close_TS.shape))
    for t in range(len(market.sessions)):
        steps = draw.normal(0, day / TRADES**0.5, (TRADES, len(market.codes)))
        steps[0] += draw.normal(0, night, len(market.codes))
        path = log_close + np.cumsum(steps, axis=0)
        log_close = path[-1]
        prices = np.exp(path + spread / 2 * draw.choice([-1, 1], path.shape))
        bars[:, t] = prices[0], prices.max(axis=0), prices.min(axis=0), prices[-1]
    series = dict(zip(("open_TS", "high_TS", "low_TS", "close_TS"), bars, strict=True))
    return replace(market, **series)


@pytest.fixture(scope="module")
def moved(market: Market) -> Market:
    return traded(market, DAY, NIGHT, spread=0.0)


@pytest.fixture(scope="module")
def bounced(market: Market) -> Market:
    return traded(market, day=0.004, night=0.0, spread=SPREAD)


def square_mean(name: str, market: Market) -> float:
    return float((BY_NAME[name].values(market)[-60:] ** 2).mean())


@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("vol_close_60", DAY**2 + NIGHT**2),
        ("vol_parkinson_60", DAY**2),
        ("vol_garman_klass_20", DAY**2),
        ("vol_rogers_satchell_20", DAY**2),
        ("vol_yang_zhang_60", DAY**2 + NIGHT**2),
        ("vol_night_60", NIGHT**2),
        ("vol_day_20", DAY**2),
    ],
)
def test_estimators_recover_the_volatility(name: str, variance: float, moved: Market) -> None:
    assert square_mean(name, moved) == pytest.approx(variance, rel=0.08)


def test_a_random_walk_has_no_jump_part_and_variances_that_grow_with_time(moved: Market) -> None:
    assert BY_NAME["vol_jump_60"].values(moved)[-60:].mean() == pytest.approx(0.0, abs=0.03)
    assert BY_NAME["variance_ratio_2_60"].values(moved)[-60:].mean() == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("name", ["corwin_schultz_60", "abdi_ranaldo_60", "roll_spread_120"])
def test_estimators_recover_the_spread(name: str, bounced: Market) -> None:
    """Estimates that are cut off at zero are too large where the spread is small beside the volatility."""
    found = BY_NAME[name].values(bounced)[-60:].mean()
    assert found == pytest.approx(SPREAD, rel=0.15)


def test_roll_recovers_an_exact_bid_ask_bounce(market: Market) -> None:
    """Returns of +s, −s, +s, … have autocovariance −s² and a spread of 2 s."""
    bounce = 100 * np.exp(0.01 * (np.arange(330) % 2))
    found = BY_NAME["roll_spread_60"].values(replace(market, close_TS=np.tile(bounce[:, None], (1, 14))))
    assert found[329, 0] == pytest.approx(0.02, rel=0.01)
