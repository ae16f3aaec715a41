"""Candlestick shape of a session's bar, after Alpha158's K-bars (Yang et al., 2020), and its rolling means."""

from __future__ import annotations

import numpy as np

from gogooku3.dataset.elementwise import Floats, divide, share
from gogooku3.features import rolling
from gogooku3.features.families.declare import Family
from gogooku3.features.families.volatility import log_range
from gogooku3.features.market import Market, quantity

_family = Family("candles")


@quantity
def _body(market: Market) -> Floats:
    return divide(market.close_TS - market.open_TS, market.high_TS - market.low_TS)


@quantity
def close_place(market: Market) -> Floats:
    """Position of the close between low (0) and high (1)."""
    return divide(market.close_TS - market.low_TS, market.high_TS - market.low_TS)


@quantity
def _upper_shadow(market: Market) -> Floats:
    return market.log_high_TS - np.maximum(market.log_open_TS, market.log_close_TS)


@quantity
def _lower_shadow(market: Market) -> Floats:
    return np.minimum(market.log_open_TS, market.log_close_TS) - market.log_low_TS


def _upper_share(market: Market) -> Floats:
    return divide(_upper_shadow(market), log_range(market))


def _lower_share(market: Market) -> Floats:
    return divide(_lower_shadow(market), log_range(market))


def _body_mean(market: Market, window: int) -> Floats:
    return rolling.mean(_body(market), window)


def _place_mean(market: Market, window: int) -> Floats:
    return rolling.mean(close_place(market), window)


def _shadow_balance(market: Market, window: int) -> Floats:
    balance_TS = _lower_shadow(market) - _upper_shadow(market)
    return divide(rolling.mean(balance_TS, window), rolling.mean(log_range(market), window))


def _above_last_high(market: Market) -> Floats:
    return market.log_open_TS - rolling.shift(market.log_high_TS, 1)


def _below_last_low(market: Market) -> Floats:
    return market.log_open_TS - rolling.shift(market.log_low_TS, 1)


def _close_to_last_middle(market: Market) -> Floats:
    middle_TS = 0.5 * (rolling.shift(market.log_high_TS, 1) + rolling.shift(market.log_low_TS, 1))
    return market.log_close_TS - middle_TS


def _overlap(market: Market) -> Floats:
    top_TS = np.minimum(market.log_high_TS, rolling.shift(market.log_high_TS, 1))
    bottom_TS = np.maximum(market.log_low_TS, rolling.shift(market.log_low_TS, 1))
    reach_TS = np.maximum(market.log_high_TS, rolling.shift(market.log_high_TS, 1)) - np.minimum(
        market.log_low_TS, rolling.shift(market.log_low_TS, 1)
    )
    return divide(top_TS - bottom_TS, reach_TS)


def _gap_share(market: Market, window: int) -> Floats:
    night_TS = rolling.mean(np.abs(market.overnight_TS), window)
    return divide(night_TS, night_TS + rolling.mean(np.abs(market.intraday_TS), window))


def _inside_share(market: Market, window: int) -> Floats:
    last_high_TS, last_low_TS = rolling.shift(market.high_TS, 1), rolling.shift(market.low_TS, 1)
    inside_TS = (market.high_TS <= last_high_TS) & (market.low_TS >= last_low_TS)
    known_TS = ~np.isnan(market.high_TS + market.low_TS + last_high_TS + last_low_TS)
    return rolling.mean(share(inside_TS, known_TS), window)


FEATURES = (
    _family.one("body_1", 1, "(C − O) / (H − L) (Yang et al., 2020, Alpha158 KMID2)", _body),
    _family.one("close_place_1", 1, "(C − L) / (H − L)", close_place),
    _family.one("upper_shadow_1", 1, "log(H / max(O, C)) (after Yang et al., 2020, Alpha158 KUP)", _upper_shadow),
    _family.one("lower_shadow_1", 1, "log(min(O, C) / L) (after Yang et al., 2020, Alpha158 KLOW)", _lower_shadow),
    _family.one(
        "upper_shadow_share_1",
        1,
        "log(H / max(O, C)) / log(H / L) (after Yang et al., 2020, Alpha158 KUP2)",
        _upper_share,
    ),
    _family.one(
        "lower_shadow_share_1",
        1,
        "log(min(O, C) / L) / log(H / L) (after Yang et al., 2020, Alpha158 KLOW2)",
        _lower_share,
    ),
    *_family.each((20,), "body_{n}", "mean_{n}((C − O) / (H − L))", _body_mean),
    *_family.each((20,), "close_place_{n}", "mean_{n}((C − L) / (H − L))", _place_mean),
    *_family.each(
        (5, 20),
        "shadow_balance_{n}",
        "mean_{n}(log(min(O, C) / L) − log(H / max(O, C))) / mean_{n}(log(H / L))",
        _shadow_balance,
    ),
    _family.one("open_to_last_high_1", 2, "log(O_t / H_t−1)", _above_last_high),
    _family.one("open_to_last_low_1", 2, "log(O_t / L_t−1)", _below_last_low),
    _family.one("close_to_last_middle_1", 2, "log(C_t / √(H_t−1 L_t−1))", _close_to_last_middle),
    _family.one(
        "range_overlap_1",
        2,
        "log(min(H_t, H_t−1) / max(L_t, L_t−1)) / log(max(H_t, H_t−1) / min(L_t, L_t−1)): overlap of two ranges",
        _overlap,
    ),
    *_family.each((20, 60), "gap_share_{n}", "mean_{n}(|g|) / (mean_{n}(|g|) + mean_{n}(|d|))", _gap_share, before=1),
    *_family.each(
        (60,),
        "inside_share_{n}",
        "share of {n} sessions with H_t ≤ H_t−1 and L_t ≥ L_t−1",
        _inside_share,
        before=1,
    ),
)
