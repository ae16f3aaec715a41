from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from statistics import correlation, covariance, linear_regression, mean, stdev
from typing import Any

import numpy as np
import pytest

from gogooku3.dataset.market import Market
from gogooku3.dataset.registry import select

BY_NAME = {feature.name: feature for feature in select("full395")}


def _log(values: list[float]) -> list[float]:
    return [math.log(value) for value in values]


def _corwin_schultz(s: Any) -> float:
    """The steps of the paper, for one pair of sessions at a time."""
    spreads = []
    for i in range(len(s.C) - 20, len(s.C)):
        high, low = s.H[i], s.L[i]
        if low > s.C[i - 1]:
            high, low = high - (s.L[i] - s.C[i - 1]), s.C[i - 1]
        elif high < s.C[i - 1]:
            high, low = s.C[i - 1], low + (s.C[i - 1] - s.H[i])
        beta = math.log(s.H[i - 1] / s.L[i - 1]) ** 2 + math.log(high / low) ** 2
        gamma = math.log(max(s.H[i - 1], high) / min(s.L[i - 1], low)) ** 2
        root = 3 - 2 * math.sqrt(2)
        alpha = (math.sqrt(2 * beta) - math.sqrt(beta)) / root - math.sqrt(gamma / root)
        spreads.append(max(alpha, 0))
    return mean(spreads)


FORMULAS = {
    "log_turnover_20": lambda s: math.log(mean(s.TV[-20:])),
    "volume_ratio_1_5": lambda s: math.log(s.V[-1] / mean(s.V[-5:])),
    "volume_ratio_5_60": lambda s: math.log(mean(s.V[-5:]) / mean(s.V[-60:])),
    "volume_deviation_20_lag_0": lambda s: math.log(s.V[-1]) - mean(_log(s.V[-20:])),
    "volume_deviation_20_lag_3": lambda s: math.log(s.V[-4]) - mean(_log(s.V[-20:])),
    "amihud_20": lambda s: math.log(mean(abs(r) / tv for r, tv in zip(s.r[-20:], s.TV[-20:], strict=True))),
    "roll_spread_60": lambda s: 2 * math.sqrt(max(-covariance(s.r[-60:], s.r[-61:-1]), 0)),
    "corwin_schultz_20": _corwin_schultz,
    "vwap_distance_1": lambda s: math.log(s.C[-1] * s.V[-1] / s.TV[-1]),
    "vwap_distance_20": lambda s: math.log(s.C[-1] * sum(s.V[-20:]) / sum(s.TV[-20:])),
    "volume_change_1": lambda s: math.log(s.V[-1] / s.V[-2]),
    "volume_std_20": lambda s: stdev(_log(s.V[-20:])),
    "volume_slope_20": lambda s: linear_regression(range(20), _log(s.V[-20:])).slope,
    "volume_return_corr_20": lambda s: correlation(s.r[-20:], _log(s.V[-20:])),
    "volume_range_corr_20": lambda s: correlation(
        [math.log(h / w) for h, w in zip(s.H[-20:], s.L[-20:], strict=True)], _log(s.V[-20:])
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_liquidity_measure_equals_its_formula(name: str, agrees: Callable[..., None]) -> None:
    agrees(name, FORMULAS[name])


def test_sessions_without_a_move_of_the_close_are_counted(market: Market) -> None:
    close_TS = market.close_TS.copy()
    close_TS[300, 1] = close_TS[299, 1]
    close_TS[310, 1] = close_TS[309, 1]
    share_TS = BY_NAME["zero_return_share_60"].values(replace(market, close_TS=close_TS))
    assert share_TS[329, 1] == pytest.approx(2 / 60)
    assert share_TS[305, 1] == pytest.approx(1 / 60)
    assert share_TS[299, 1] == 0


def test_a_bid_ask_bounce_is_found_by_the_roll_spread(market: Market) -> None:
    """Returns of +s, −s, +s, … have autocovariance −s² and a spread of 2 s (Roll, 1984)."""
    bounce = 100 * np.exp(0.01 * (np.arange(330) % 2))
    found = BY_NAME["roll_spread_60"].values(replace(market, close_TS=np.tile(bounce[:, None], (1, 14))))
    assert found[329, 0] == pytest.approx(0.02, rel=0.01)


def test_no_trade_has_no_logarithm(market: Market) -> None:
    volume_TS = market.volume_TS.copy()
    volume_TS[320, 3] = 0.0
    found = BY_NAME["volume_deviation_20_lag_0"].values(replace(market, volume_TS=volume_TS))
    assert np.isnan(found[320, 3])
    assert np.isfinite(found[321, 3])
