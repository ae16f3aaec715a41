"""Technical indicators over fixed windows: simple instead of exponential moving averages, so the lookback is finite."""

from __future__ import annotations

from functools import partial

import numpy as np

from gogooku3.dataset.elementwise import Floats, divide, log
from gogooku3.features import rolling
from gogooku3.features.families.declare import Family
from gogooku3.features.families.momentum import highest_high, lowest_low, since_high, since_low
from gogooku3.features.families.volatility import average_true_range, true_range
from gogooku3.features.market import Market, quantity

_family = Family("technical")


@quantity
def close_mean(market: Market, window: int) -> Floats:
    """Simple moving average of the close."""
    return rolling.mean(market.close_TS, window)


@quantity
def _lowest(market: Market, window: int) -> Floats:
    return rolling.lowest(market.low_TS, window)


@quantity
def _highest(market: Market, window: int) -> Floats:
    return rolling.highest(market.high_TS, window)


def rsi(market: Market, window: int) -> Floats:
    """Share of gains in the sum of gains and losses of the close, 0 … 1: Cutler's RSI."""
    change_TS = market.close_TS - rolling.shift(market.close_TS, 1)
    up_TS = rolling.mean(np.maximum(change_TS, 0.0), window)
    return divide(up_TS, up_TS + rolling.mean(np.maximum(-change_TS, 0.0), window))


@quantity
def _stochastic(market: Market, window: int) -> Floats:
    low_TS = _lowest(market, window)
    return divide(market.close_TS - low_TS, _highest(market, window) - low_TS)


def _stochastic_mean(market: Market, window: int, smooth: int) -> Floats:
    return rolling.mean(_stochastic(market, window), smooth)


def _williams(market: Market, window: int) -> Floats:
    return _stochastic(market, window) - 1.0


@quantity
def _typical_price(market: Market) -> Floats:
    return (market.high_TS + market.low_TS + market.close_TS) / 3.0


def _commodity_channel(market: Market, window: int) -> Floats:
    price_TS = _typical_price(market)
    centre_TS = rolling.mean(price_TS, window)
    deviation_TS, known_TS = np.zeros(price_TS.shape), np.zeros(price_TS.shape, np.int16)
    for age in range(window):
        size_TS = np.abs(rolling.shift(price_TS, age) - centre_TS)
        unknown_TS = np.isnan(size_TS)
        known_TS += ~unknown_TS
        size_TS[unknown_TS] = 0.0
        deviation_TS += size_TS
    return divide(price_TS - centre_TS, 0.015 * divide(deviation_TS, known_TS))


def _bollinger(market: Market, window: int) -> Floats:
    return divide(market.close_TS - close_mean(market, window), rolling.std(market.close_TS, window))


@quantity
def _macd(market: Market, short: int, window: int) -> Floats:
    return divide(close_mean(market, short) - close_mean(market, window), market.close_TS)


def _macd_histogram(market: Market, short: int, window: int, smooth: int) -> Floats:
    macd_TS = _macd(market, short=short, window=window)
    return macd_TS - rolling.mean(macd_TS, smooth)


def _aroon_up(market: Market, window: int) -> Floats:
    return 1.0 - since_high(market, window) / (window - 1.0)


def _aroon_down(market: Market, window: int) -> Floats:
    return 1.0 - since_low(market, window) / (window - 1.0)


@quantity
def _direction(market: Market, window: int) -> Floats:
    rise_TS = market.high_TS - rolling.shift(market.high_TS, 1)
    fall_TS = rolling.shift(market.low_TS, 1) - market.low_TS
    known_TS = ~np.isnan(rise_TS + fall_TS)
    up_TS = np.where(known_TS, np.where((rise_TS > fall_TS) & (rise_TS > 0), rise_TS, 0.0), np.nan)
    down_TS = np.where(known_TS, np.where((fall_TS > rise_TS) & (fall_TS > 0), fall_TS, 0.0), np.nan)
    up_mean_TS, down_mean_TS = rolling.mean(up_TS, window), rolling.mean(down_TS, window)
    return divide(up_mean_TS - down_mean_TS, up_mean_TS + down_mean_TS)


def _directional_strength(market: Market, window: int) -> Floats:
    return rolling.mean(np.abs(_direction(market, window)), window)


def _to_mean(market: Market, window: int) -> Floats:
    return log(divide(market.close_TS, close_mean(market, window)))


def _to_median(market: Market, window: int) -> Floats:
    return market.log_close_TS - rolling.median(market.log_close_TS, window)


def _keltner(market: Market, window: int) -> Floats:
    distance_TS = 1.0 - divide(close_mean(market, window), market.close_TS)
    return divide(distance_TS, average_true_range(market, window))


def _price_deviation(market: Market, window: int) -> Floats:
    return divide(rolling.std(market.close_TS, window), market.close_TS)


def _choppiness(market: Market, window: int) -> Floats:
    reach_TS = _highest(market, window) - _lowest(market, window)
    return log(divide(window * rolling.mean(true_range(market), window), reach_TS))


def _vortex(market: Market, window: int) -> Floats:
    up_TS = np.abs(market.high_TS - rolling.shift(market.low_TS, 1))
    down_TS = np.abs(market.low_TS - rolling.shift(market.high_TS, 1))
    return divide(rolling.mean(up_TS - down_TS, window), rolling.mean(true_range(market), window))


def _ultimate(market: Market, window: int) -> Floats:
    last_close_TS = rolling.shift(market.close_TS, 1)
    pressure_TS = market.close_TS - np.minimum(market.low_TS, last_close_TS)
    spans = (window // 4, window // 2, window)
    short_TS, middle_TS, long_TS = (
        divide(rolling.mean(pressure_TS, n), rolling.mean(true_range(market), n)) for n in spans
    )
    return (4.0 * short_TS + 2.0 * middle_TS + long_TS) / 7.0


def _channel_width(market: Market, window: int) -> Floats:
    return highest_high(market, window) - lowest_low(market, window)


def _bull_power(market: Market, window: int) -> Floats:
    return divide(market.high_TS - close_mean(market, window), market.close_TS)


def _bear_power(market: Market, window: int) -> Floats:
    return divide(market.low_TS - close_mean(market, window), market.close_TS)


FEATURES = (
    *_family.each(
        (5, 14, 28),
        "rsi_{n}",
        "mean_{n}(up) / (mean_{n}(up) + mean_{n}(down)), up = max(C_t − C_t−1, 0), down = max(C_t−1 − C_t, 0) "
        "(Cutler's RSI, after Wilder, 1978)",
        rsi,
        before=1,
    ),
    *_family.each(
        (5, 14, 60), "stochastic_{n}", "(C_t − min_{n}(L)) / (max_{n}(H) − min_{n}(L)) (Lane's %K)", _stochastic
    ),
    _family.one(
        "stochastic_mean_14_3",
        16,
        "mean_3 of stochastic_14 (Lane's %D)",
        partial(_stochastic_mean, window=14, smooth=3),
    ),
    *_family.each((28,), "williams_r_{n}", "(C_t − max_{n}(H)) / (max_{n}(H) − min_{n}(L)) (Williams' %R)", _williams),
    *_family.each(
        (20,),
        "cci_{n}",
        "(p_t − a) / (.015 mean_{n}(|p − a|)), a = mean_{n}(p), p = (H + L + C) / 3 (Lambert, 1980)",
        _commodity_channel,
    ),
    *_family.each((10, 20, 60), "bollinger_z_{n}", "(C_t − mean_{n}(C)) / std_{n}(C) (after Bollinger)", _bollinger),
    *(
        _family.one(
            f"macd_{short}_{long}",
            long,
            f"(mean_{short}(C) − mean_{long}(C)) / C_t (after Appel's MACD)",
            partial(_macd, short=short, window=long),
        )
        for short, long in ((5, 20), (12, 26), (20, 60))
    ),
    _family.one(
        "macd_histogram_12_26_9",
        34,
        "macd_12_26 − mean_9(macd_12_26) (after Appel's MACD)",
        partial(_macd_histogram, short=12, window=26, smooth=9),
    ),
    *_family.each((25,), "aroon_up_{n}", "1 − sessions since max_{n}(H) / ({n} − 1) (Chande, 1995)", _aroon_up),
    *_family.each((25,), "aroon_down_{n}", "1 − sessions since min_{n}(L) / ({n} − 1) (Chande, 1995)", _aroon_down),
    *_family.each(
        (14,),
        "direction_{n}",
        "(u − v) / (u + v), u = mean_{n}(ΔH where ΔH > max(−ΔL, 0), else 0), "
        "v = mean_{n}(−ΔL where −ΔL > max(ΔH, 0), else 0), Δ from t − 1 to t (after Wilder, 1978)",
        _direction,
        before=1,
    ),
    _family.one(
        "adx_14",
        28,
        "mean_14(|direction_14|) (after Wilder, 1978)",
        partial(_directional_strength, window=14),
    ),
    *_family.each((5, 20, 60, 250), "price_to_mean_{n}", "log(C_t / mean_{n}(C))", _to_mean),
    *_family.each((20,), "price_to_median_{n}", "log C_t − median_{n}(log C)", _to_median),
    *_family.each((20,), "keltner_{n}", "(C_t − mean_{n}(C)) / mean_{n}(TR) (after Keltner)", _keltner, before=1),
    *_family.each((5, 20, 60), "price_std_{n}", "std_{n}(C) / C_t (Yang et al., 2020, Alpha158 STD)", _price_deviation),
    *_family.each(
        (14, 60),
        "choppiness_{n}",
        "log({n} mean_{n}(TR) / (max_{n}(H) − min_{n}(L))) (after Dreiss)",
        _choppiness,
        before=1,
    ),
    *_family.each(
        (14,),
        "vortex_{n}",
        "mean_{n}(|H_t − L_t−1| − |L_t − H_t−1|) / mean_{n}(TR) (Botes and Siepman, 2010)",
        _vortex,
        before=1,
    ),
    *_family.each(
        (28,),
        "ultimate_{n}",
        "(4 q_7 + 2 q_14 + q_28) / 7, q_n = mean_n(C_t − min(L_t, C_t−1)) / mean_n(TR) (Williams, 1985)",
        _ultimate,
        before=1,
    ),
    *_family.each((20, 60, 250), "channel_width_{n}", "log(max_{n}(H) / min_{n}(L)) (Donchian)", _channel_width),
    *_family.each((13,), "bull_power_{n}", "(H_t − mean_{n}(C)) / C_t (after Elder, 1989)", _bull_power),
    *_family.each((13,), "bear_power_{n}", "(L_t − mean_{n}(C)) / C_t (after Elder, 1989)", _bear_power),
)
