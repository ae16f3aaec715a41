"""Indicators equal TA-Lib's where the definitions coincide.

TA-Lib smooths RSI, ATR and the directional movements as Wilder does, and these here are plain means. They are compared
where the two agree: RSI and ATR at the end of a first window, which Wilder's smoothing starts from, the directional
movement session by session. Bollinger's deviation is TA-Lib's of a population and a sample's here. Aroon counts n + 1
sessions there and n here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import pytest
import talib

from gogooku3.features.feature import Feature
from gogooku3.features.market import Market
from gogooku3.features.registry import select

Floats = np.ndarray


@dataclass(frozen=True)
class Bars:
    """One stock's whole history, as TA-Lib takes it."""

    O: Floats  # noqa: E741
    H: Floats
    L: Floats
    C: Floats
    V: Floats

    @cached_property
    def c(self) -> Floats:
        return np.log(self.C)

    @cached_property
    def r(self) -> Floats:
        return np.concatenate([[np.nan], np.diff(self.c)])

    @cached_property
    def true_range(self) -> Floats:
        return talib.TRANGE(self.H, self.L, self.C)

    @cached_property
    def sessions(self) -> Floats:
        return np.arange(len(self.C))


def sample_std(x: Floats, n: int) -> Floats:
    return talib.STDDEV(x, n) * math.sqrt(n / (n - 1))


def first_windows(of_window: Callable[..., Floats], sessions: int, *series: Floats) -> Floats:
    """TA-Lib's first value of each window alone."""
    found = np.full(len(series[0]), np.nan)
    for stop in range(sessions, len(found) + 1):
        found[stop - 1] = of_window(*(x[stop - sessions : stop] for x in series))[-1]
    return found


def direction(b: Bars, n: int) -> Floats:
    up, down = talib.PLUS_DM(b.H, b.L, 1), talib.MINUS_DM(b.H, b.L, 1)
    return (talib.SMA(up, n) - talib.SMA(down, n)) / (talib.SMA(up, n) + talib.SMA(down, n))


def bollinger(b: Bars, n: int) -> Floats:
    upper, middle, _ = talib.BBANDS(b.C, n, 1, 1)
    return (b.C - middle) / (upper - middle) / math.sqrt(n / (n - 1))


INDICATORS: dict[str, Callable[..., Floats]] = {
    "ret_{n}": lambda b, n: np.log(talib.ROCR(b.C, n)),
    "ret_decayed_{n}": lambda b, n: talib.WMA(b.r, n),
    "vol_close_{n}": lambda b, n: sample_std(b.r, n),
    "atr_{n}": lambda b, n: first_windows(partial(talib.ATR, timeperiod=n), n + 1, b.H, b.L, b.C) / b.C,
    "high_distance_{n}": lambda b, n: np.log(b.C / talib.MAX(b.H, n)),
    "low_distance_{n}": lambda b, n: np.log(b.C / talib.MIN(b.L, n)),
    "trend_slope_{n}": lambda b, n: talib.LINEARREG_SLOPE(b.c, n),
    "trend_r2_{n}": lambda b, n: talib.CORREL(b.c, b.sessions.astype(float), n) ** 2,
    "trend_residual_{n}": lambda b, n: b.c - talib.LINEARREG(b.c, n),
    "mom_sharpe_{n}": lambda b, n: talib.SMA(b.r, n) / sample_std(b.r, n),
    "since_high_{n}": lambda b, n: b.sessions - talib.MAXINDEX(b.H, n),
    "since_low_{n}": lambda b, n: b.sessions - talib.MININDEX(b.L, n),
    "low_before_high_{n}": lambda b, n: talib.MAXINDEX(b.H, n) - talib.MININDEX(b.L, n).astype(float),
    "rsi_{n}": lambda b, n: first_windows(partial(talib.RSI, timeperiod=n), n + 1, b.C) / 100,
    "stochastic_{n}": lambda b, n: talib.STOCHF(b.H, b.L, b.C, n, 1, 0)[0] / 100,
    "stochastic_mean_{n}_{k}": lambda b, n, k: talib.STOCHF(b.H, b.L, b.C, n, k, 0)[1] / 100,
    "williams_r_{n}": lambda b, n: talib.WILLR(b.H, b.L, b.C, n) / 100,
    "cci_{n}": lambda b, n: talib.CCI(b.H, b.L, b.C, n),
    "bollinger_z_{n}": bollinger,
    "macd_{short}_{long}": lambda b, short, long: talib.MACDEXT(b.C, short, 0, long, 0, 1, 0)[0] / b.C,
    "aroon_up_{n}": lambda b, n: talib.AROON(b.H, b.L, n - 1)[1] / 100,
    "aroon_down_{n}": lambda b, n: talib.AROON(b.H, b.L, n - 1)[0] / 100,
    "direction_{n}": direction,
    "adx_{n}": lambda b, n: talib.SMA(np.abs(direction(b, n)), n),
    "price_to_mean_{n}": lambda b, n: np.log(b.C / talib.SMA(b.C, n)),
    "keltner_{n}": lambda b, n: (b.C - talib.SMA(b.C, n)) / talib.SMA(b.true_range, n),
    "price_std_{n}": lambda b, n: sample_std(b.C, n) / b.C,
    "choppiness_{n}": lambda b, n: np.log(talib.SUM(b.true_range, n) / (talib.MAX(b.H, n) - talib.MIN(b.L, n))),
    "ultimate_{n}": lambda b, n: talib.ULTOSC(b.H, b.L, b.C, n // 4, n // 2, n) / 100,
    "channel_width_{n}": lambda b, n: np.log(talib.MAX(b.H, n) / talib.MIN(b.L, n)),
    "bull_power_{n}": lambda b, n: (b.H - talib.SMA(b.C, n)) / b.C,
    "bear_power_{n}": lambda b, n: (b.L - talib.SMA(b.C, n)) / b.C,
    "money_flow_{n}": lambda b, n: talib.MFI(b.H, b.L, b.C, b.V, n) / 100,
    "volume_return_corr_{n}": lambda b, n: talib.CORREL(b.r, np.log(b.V), n),
    "max_return_{n}": lambda b, n: talib.MAX(b.r, n),
    "min_return_{n}": lambda b, n: talib.MIN(b.r, n),
}
FITTING = {
    feature: (indicator, [int(number) for number in found.groups()])
    for feature in select("full")
    for pattern, indicator in INDICATORS.items()
    if (found := re.fullmatch(re.sub(r"\{\w+\}", r"(\\d+)", pattern), feature.name))
}


@pytest.mark.parametrize("feature", FITTING, ids=lambda feature: feature.name)
def test_an_indicator_equals_ta_libs(feature: Feature, market: Market) -> None:
    indicator, numbers = FITTING[feature]
    values = feature.values(market)
    for s in (0, 6, 13):
        series = (market.open_TS, market.high_TS, market.low_TS, market.close_TS, market.volume_TS)
        expected = indicator(Bars(*(np.ascontiguousarray(x[:, s]) for x in series)), *numbers)
        np.testing.assert_allclose(
            values[feature.lookback - 1 :, s], expected[feature.lookback - 1 :], rtol=1e-7, atol=1e-10
        )


def test_every_indicator_is_a_features() -> None:
    assert {indicator for indicator, _ in FITTING.values()} == set(INDICATORS.values())
