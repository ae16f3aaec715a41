"""Technical indicators, all on whole windows: averages are plain means, so nothing remembers beyond its lookback."""

from __future__ import annotations

from functools import partial

import numpy as np

from gogooku3.dataset import rolling
from gogooku3.dataset.elementwise import Floats, divide, log
from gogooku3.dataset.feature import Feature
from gogooku3.dataset.features.volatility import average_true_range
from gogooku3.dataset.market import Market

_stock = partial(Feature, "technical", "stock")


def rsi(market: Market, window: int) -> Floats:
    """Share of the rises in the movement of the close, 0 … 1: Cutler's RSI."""
    change_TS = market.close_TS - rolling.shift(market.close_TS, 1)
    up_TS = rolling.mean(np.maximum(change_TS, 0.0), window)
    return divide(up_TS, up_TS + rolling.mean(np.maximum(-change_TS, 0.0), window))


def _stochastic(market: Market, window: int) -> Floats:
    low_TS, high_TS = rolling.lowest(market.low_TS, window), rolling.highest(market.high_TS, window)
    return divide(market.close_TS - low_TS, high_TS - low_TS)


def _stochastic_mean(market: Market, window: int, smooth: int) -> Floats:
    return rolling.mean(_stochastic(market, window), smooth)


def _williams(market: Market, window: int) -> Floats:
    return _stochastic(market, window) - 1.0


def _typical_price(market: Market) -> Floats:
    return (market.high_TS + market.low_TS + market.close_TS) / 3.0


def _commodity_channel(market: Market, window: int) -> Floats:
    price_TS = _typical_price(market)
    centre_TS = rolling.mean(price_TS, window)
    deviation_TS = np.zeros(price_TS.shape)
    known_TS = np.zeros(price_TS.shape)
    for age in range(window):
        size_TS = np.abs(rolling.shift(price_TS, age) - centre_TS)
        known_TS += ~np.isnan(size_TS)
        deviation_TS += np.where(np.isnan(size_TS), 0.0, size_TS)
    return divide(price_TS - centre_TS, 0.015 * divide(deviation_TS, known_TS))


def _bollinger(market: Market, window: int) -> Floats:
    centre_TS = rolling.mean(market.close_TS, window)
    return divide(market.close_TS - centre_TS, rolling.std(market.close_TS, window))


def _macd(market: Market, short: int, long: int) -> Floats:
    gap_TS = rolling.mean(market.close_TS, short) - rolling.mean(market.close_TS, long)
    return divide(gap_TS, market.close_TS)


def _macd_histogram(market: Market, short: int, long: int, smooth: int) -> Floats:
    macd_TS = _macd(market, short, long)
    return macd_TS - rolling.mean(macd_TS, smooth)


def _aroon_up(market: Market, window: int) -> Floats:
    return 1.0 - rolling.since_highest(market.high_TS, window) / (window - 1.0)


def _aroon_down(market: Market, window: int) -> Floats:
    return 1.0 - rolling.since_lowest(market.low_TS, window) / (window - 1.0)


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


def _money_flow(market: Market, window: int) -> Floats:
    price_TS = _typical_price(market)
    change_TS = price_TS - rolling.shift(price_TS, 1)
    flow_TS = np.where(np.isnan(change_TS), np.nan, price_TS * market.volume_TS)
    risen_TS = rolling.mean(np.where(change_TS > 0, flow_TS, 0.0 * flow_TS), window)
    fallen_TS = rolling.mean(np.where(change_TS < 0, flow_TS, 0.0 * flow_TS), window)
    return divide(risen_TS, risen_TS + fallen_TS)


def _signed_volume(market: Market, window: int) -> Floats:
    sign_TS = np.sign(market.return_TS)
    volume_TS = np.where(np.isnan(sign_TS), np.nan, market.volume_TS)
    return divide(rolling.mean(sign_TS * volume_TS, window), rolling.mean(volume_TS, window))


def _to_mean(market: Market, window: int) -> Floats:
    return log(divide(market.close_TS, rolling.mean(market.close_TS, window)))


def _to_median(market: Market, window: int) -> Floats:
    return log(divide(market.close_TS, rolling.median(market.close_TS, window)))


def _keltner(market: Market, window: int) -> Floats:
    distance_TS = 1.0 - divide(rolling.mean(market.close_TS, window), market.close_TS)
    return divide(distance_TS, average_true_range(market, window))


def _body(market: Market) -> Floats:
    return divide(market.close_TS - market.open_TS, market.high_TS - market.low_TS)


def _close_place(market: Market) -> Floats:
    return divide(market.close_TS - market.low_TS, market.high_TS - market.low_TS)


FEATURES = (
    *(
        _stock(
            f"rsi_{n}",
            n + 1,
            f"mean_{n}(up) / (mean_{n}(up) + mean_{n}(down)) of C_t − C_t−1 (Cutler's RSI)",
            partial(rsi, window=n),
        )
        for n in (5, 14)
    ),
    _stock(
        "stochastic_14", 14, "(C_t − min_14(L)) / (max_14(H) − min_14(L)) (Lane's %K)", partial(_stochastic, window=14)
    ),
    _stock(
        "stochastic_mean_14_3",
        16,
        "mean_3 of stochastic_14 (Lane's %D)",
        partial(_stochastic_mean, window=14, smooth=3),
    ),
    _stock(
        "williams_r_28", 28, "(C_t − max_28(H)) / (max_28(H) − min_28(L)) (Williams' %R)", partial(_williams, window=28)
    ),
    _stock(
        "cci_20",
        20,
        "(p_t − mean_20(p)) / (.015 mean_20(|p − mean_20(p)_t|)), p = (H + L + C)/3 (Lambert, 1980)",
        partial(_commodity_channel, window=20),
    ),
    _stock("bollinger_z_20", 20, "(C_t − mean_20(C)) / std_20(C) (Bollinger)", partial(_bollinger, window=20)),
    _stock("macd_12_26", 26, "(mean_12(C) − mean_26(C)) / C_t: MACD on plain means", partial(_macd, short=12, long=26)),
    _stock(
        "macd_histogram_12_26_9",
        34,
        "macd_12_26 − mean_9(macd_12_26)",
        partial(_macd_histogram, short=12, long=26, smooth=9),
    ),
    _stock("aroon_up_25", 25, "1 − sessions since max_25(H) / 24 (Chande, 1995)", partial(_aroon_up, window=25)),
    _stock("aroon_down_25", 25, "1 − sessions since min_25(L) / 24 (Chande, 1995)", partial(_aroon_down, window=25)),
    _stock(
        "direction_14",
        15,
        "(DM+ − DM−) / (DM+ + DM−), plain means of 14 directional movements (Wilder, 1978)",
        partial(_direction, window=14),
    ),
    _stock(
        "adx_14",
        28,
        "mean_14(|direction_14|): ADX on plain means (Wilder, 1978)",
        partial(_directional_strength, window=14),
    ),
    _stock(
        "money_flow_14",
        15,
        "share of p V in sessions of rising p over 14 sessions, p = (H + L + C)/3 (Quong and Soudack)",
        partial(_money_flow, window=14),
    ),
    _stock(
        "signed_volume_20",
        21,
        "mean_20(sign(r) V) / mean_20(V) (after Granville's on-balance volume)",
        partial(_signed_volume, window=20),
    ),
    *(
        _stock(f"price_to_mean_{n}", n, f"log(C_t / mean_{n}(C))", partial(_to_mean, window=n))
        for n in (5, 20, 60, 120, 250)
    ),
    _stock("price_to_median_20", 20, "log(C_t / median_20(C))", partial(_to_median, window=20)),
    _stock("keltner_20", 21, "(C_t − mean_20(C)) / mean_20(true range) (Keltner)", partial(_keltner, window=20)),
    _stock("body_1", 1, "(C − O) / (H − L)", _body),
    _stock("close_place_1", 1, "(C − L) / (H − L)", _close_place),
)
