"""Liquidity: traded value, price impact, and spreads estimated from daily bars."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from gogooku3.dataset.elementwise import Floats, divide, log, share, sqrt
from gogooku3.features import rolling
from gogooku3.features.families.declare import Family
from gogooku3.features.market import Market, quantity

_family = Family("liquidity")


@quantity
def log_turnover(market: Market, window: int) -> Floats:
    """log of the mean traded value."""
    return log(rolling.mean(market.turnover_TS, window))


def _turnover_ratio(market: Market, short: int, window: int) -> Floats:
    return log_turnover(market, short) - log_turnover(market, window)


@quantity
def _impact(market: Market) -> Floats:
    return divide(np.abs(market.return_TS), market.turnover_TS)


@quantity
def amihud(market: Market, window: int) -> Floats:
    """log of the mean absolute return per yen traded: Amihud (2002)."""
    return log(rolling.mean(_impact(market), window))


def _amihud_ratio(market: Market, short: int, window: int) -> Floats:
    return amihud(market, short) - amihud(market, window)


def _falling_impact(market: Market, window: int) -> Floats:
    falling_TS = divide(np.maximum(-market.return_TS, 0.0), market.turnover_TS)
    return divide(rolling.mean(falling_TS, window), rolling.mean(_impact(market), window))


def _roll_spread(market: Market, window: int) -> Floats:
    covariance_TS = rolling.cov(market.return_TS, rolling.shift(market.return_TS, 1), window)
    return 2.0 * sqrt(np.maximum(-covariance_TS, 0.0))


@quantity
def _corwin_schultz_of_day(market: Market) -> Floats:
    last_TS = (rolling.shift(market.high_TS, 1), rolling.shift(market.low_TS, 1), rolling.shift(market.close_TS, 1))
    last_high_TS, last_low_TS, last_close_TS = last_TS
    # An overnight gap is not spread: the later day is shifted back to the earlier close.
    jump_TS = np.maximum(market.low_TS - last_close_TS, 0.0) + np.minimum(market.high_TS - last_close_TS, 0.0)
    high_TS, low_TS = market.high_TS - jump_TS, market.low_TS - jump_TS
    beta_TS = log(divide(high_TS, low_TS)) ** 2 + log(divide(last_high_TS, last_low_TS)) ** 2
    gamma_TS = log(divide(np.maximum(high_TS, last_high_TS), np.minimum(low_TS, last_low_TS))) ** 2
    root = 3.0 - 2.0 * math.sqrt(2.0)
    alpha_TS = (math.sqrt(2.0) - 1.0) / root * sqrt(beta_TS) - sqrt(gamma_TS / root)
    return np.maximum(alpha_TS, 0.0)


def _corwin_schultz(market: Market, window: int) -> Floats:
    return rolling.mean(_corwin_schultz_of_day(market), window)


@quantity
def _abdi_ranaldo_of_day(market: Market) -> Floats:
    middle_TS = 0.5 * (market.log_high_TS + market.log_low_TS)
    last_close_TS, last_middle_TS = rolling.shift(market.log_close_TS, 1), rolling.shift(middle_TS, 1)
    square_TS = 4.0 * (last_close_TS - last_middle_TS) * (last_close_TS - middle_TS)
    return sqrt(np.maximum(square_TS, 0.0))


def _abdi_ranaldo(market: Market, window: int) -> Floats:
    return rolling.mean(_abdi_ranaldo_of_day(market), window)


def _zero_share(market: Market, window: int) -> Floats:
    return rolling.mean(share(market.return_TS == 0, ~np.isnan(market.return_TS)), window)


def _to_average_price(market: Market, window: int) -> Floats:
    unknown_TS = np.isnan(market.turnover_TS + market.volume_TS)
    turnover_TS = np.where(unknown_TS, np.nan, market.turnover_TS)
    volume_TS = np.where(unknown_TS, np.nan, market.volume_TS)
    average_TS = divide(rolling.mean(turnover_TS, window), rolling.mean(volume_TS, window))
    return log(divide(market.close_TS, average_TS))


def _signed_root_turnover(market: Market) -> Floats:
    return np.sign(market.intraday_TS) * sqrt(market.turnover_TS)


def _flow_correlation(market: Market, window: int) -> Floats:
    return rolling.corr(_signed_root_turnover(market), market.return_TS, window)


def _turnover_variation(market: Market, window: int) -> Floats:
    return divide(rolling.std(market.turnover_TS, window), rolling.mean(market.turnover_TS, window))


FEATURES = (
    *_family.each((1, 5, 20, 250), "log_turnover_{n}", "log mean_{n}(TV)", log_turnover),
    *(
        _family.one(
            f"turnover_ratio_{short}_{long}",
            long,
            f"log(mean_{short}(TV) / mean_{long}(TV))",
            partial(_turnover_ratio, short=short, window=long),
        )
        for short, long in ((20, 250),)
    ),
    *_family.each((20, 60), "turnover_variation_{n}", "std_{n}(TV) / mean_{n}(TV)", _turnover_variation),
    *_family.each((5, 20, 60), "amihud_{n}", "log mean_{n}(|r| / TV) (Amihud, 2002)", amihud, before=1),
    *(
        _family.one(
            f"amihud_ratio_{short}_{long}",
            long + 1,
            f"log of mean_{short}(|r| / TV) over mean_{long}(|r| / TV)",
            partial(_amihud_ratio, short=short, window=long),
        )
        for short, long in ((5, 60), (20, 250))
    ),
    *_family.each(
        (20, 60),
        "falling_impact_{n}",
        "mean_{n}(max(−r, 0) / TV) / mean_{n}(|r| / TV) (after Brennan, Huh and Subrahmanyam, 2013)",
        _falling_impact,
        before=1,
    ),
    *_family.each((60, 120), "roll_spread_{n}", "2 √max(−cov_{n}(r_t, r_t−1), 0) (Roll, 1984)", _roll_spread, before=2),
    *_family.each(
        (20, 60),
        "corwin_schultz_{n}",
        "mean_{n}(max(α, 0)), α = (√2 − 1) √β / k − √(γ / k), k = 3 − 2√2, β = log(H_t/L_t)² + log(H_t−1/L_t−1)², "
        "γ = log(max(H_t, H_t−1) / min(L_t, L_t−1))², H_t and L_t moved by what lies between C_t−1 and them "
        "(Corwin and Schultz, 2012, whose spread is 2 (e^α − 1) / (e^α + 1))",
        _corwin_schultz,
        before=1,
    ),
    *_family.each(
        (20, 60),
        "abdi_ranaldo_{n}",
        "mean_{n}(√max(4 (c_t−1 − η_t−1)(c_t−1 − η_t), 0)), c = log C, η = log √(H L) (Abdi and Ranaldo, 2017)",
        _abdi_ranaldo,
        before=1,
    ),
    *_family.each(
        (60,),
        "zero_return_share_{n}",
        "share of sessions with r = 0 among {n} (Lesmond, Ogden and Trzcinka, 1999)",
        _zero_share,
        before=1,
    ),
    *_family.each(
        (1, 5, 20),
        "vwap_distance_{n}",
        "log(C_t mean_{n}(V) / mean_{n}(TV)): distance from the volume-weighted price",
        _to_average_price,
    ),
    *_family.each(
        (20, 60),
        "flow_correlation_{n}",
        "corr_{n}(sign(d) √TV, r): how returns follow signed trade (after Hasbrouck, 2009)",
        _flow_correlation,
        before=1,
    ),
)
