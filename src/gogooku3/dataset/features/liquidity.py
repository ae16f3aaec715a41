"""Liquidity: volume and its course, price impact, and spreads estimated from daily bars."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from gogooku3.dataset import rolling
from gogooku3.dataset.elementwise import Floats, divide, log, share, sqrt
from gogooku3.dataset.feature import Feature
from gogooku3.dataset.features.volatility import log_range
from gogooku3.dataset.market import Market

_stock = partial(Feature, "liquidity", "stock")


def log_turnover(market: Market, window: int) -> Floats:
    """log of the mean traded value."""
    return log(rolling.mean(market.turnover_TS, window))


def volume_ratio(market: Market, short: int, long: int) -> Floats:
    """log of the mean volume of `short` sessions over that of `long`."""
    return log(divide(rolling.mean(market.volume_TS, short), rolling.mean(market.volume_TS, long)))


def volume_deviation(market: Market, window: int, lag: int = 0) -> Floats:
    """log volume `lag` sessions ago less the mean log volume of the window that ends at t."""
    return rolling.shift(market.log_volume_TS, lag) - rolling.mean(market.log_volume_TS, window)


def amihud(market: Market, window: int) -> Floats:
    """log of the mean absolute return per yen traded: Amihud (2002)."""
    return log(rolling.mean(divide(np.abs(market.return_TS), market.turnover_TS), window))


def _roll_spread(market: Market, window: int) -> Floats:
    covariance_TS = rolling.cov(market.return_TS, rolling.shift(market.return_TS, 1), window)
    return 2.0 * sqrt(np.maximum(-covariance_TS, 0.0))


def _corwin_schultz(market: Market, window: int) -> Floats:
    last_TS = (rolling.shift(market.high_TS, 1), rolling.shift(market.low_TS, 1), rolling.shift(market.close_TS, 1))
    last_high_TS, last_low_TS, last_close_TS = last_TS
    # A night's jump is no spread: the later day is moved back to where the earlier one closed.
    jump_TS = np.maximum(market.low_TS - last_close_TS, 0.0) + np.minimum(market.high_TS - last_close_TS, 0.0)
    high_TS, low_TS = market.high_TS - jump_TS, market.low_TS - jump_TS
    beta_TS = log(divide(high_TS, low_TS)) ** 2 + log(divide(last_high_TS, last_low_TS)) ** 2
    gamma_TS = log(divide(np.maximum(high_TS, last_high_TS), np.minimum(low_TS, last_low_TS))) ** 2
    root = 3.0 - 2.0 * math.sqrt(2.0)
    alpha_TS = (math.sqrt(2.0) - 1.0) / root * sqrt(beta_TS) - sqrt(gamma_TS / root)
    return rolling.mean(np.maximum(alpha_TS, 0.0), window)


def _zero_share(market: Market, window: int) -> Floats:
    return rolling.mean(share(market.return_TS == 0, ~np.isnan(market.return_TS)), window)


def _to_average_price(market: Market, window: int) -> Floats:
    unknown_TS = np.isnan(market.turnover_TS + market.volume_TS)
    turnover_TS = np.where(unknown_TS, np.nan, market.turnover_TS)
    volume_TS = np.where(unknown_TS, np.nan, market.volume_TS)
    average_TS = divide(rolling.mean(turnover_TS, window), rolling.mean(volume_TS, window))
    return log(divide(market.close_TS, average_TS))


def _volume_change(market: Market) -> Floats:
    return market.log_volume_TS - rolling.shift(market.log_volume_TS, 1)


def _volume_std(market: Market, window: int) -> Floats:
    return rolling.std(market.log_volume_TS, window)


def _volume_slope(market: Market, window: int) -> Floats:
    return rolling.slope(market.log_volume_TS, window)


def _volume_return_correlation(market: Market, window: int) -> Floats:
    return rolling.corr(market.return_TS, market.log_volume_TS, window)


def _volume_range_correlation(market: Market, window: int) -> Floats:
    return rolling.corr(log_range(market), market.log_volume_TS, window)


FEATURES = (
    *(_stock(f"log_turnover_{n}", n, f"log mean_{n}(TV)", partial(log_turnover, window=n)) for n in (1, 20)),
    *(
        _stock(
            f"volume_ratio_{short}_{long}",
            long,
            f"log(mean_{short}(V) / mean_{long}(V))",
            partial(volume_ratio, short=short, long=long),
        )
        for short, long in ((1, 5), (1, 20), (5, 20), (5, 60))
    ),
    *(
        _stock(
            f"volume_deviation_20_lag_{k}",
            20,
            f"log V_t−{k} − mean_20(log V)",
            partial(volume_deviation, window=20, lag=k),
        )
        for k in (0, 1, 2, 3)
    ),
    *(
        _stock(f"amihud_{n}", n + 1, f"log mean_{n}(|r| / TV) (Amihud, 2002)", partial(amihud, window=n))
        for n in (20, 60)
    ),
    _stock("roll_spread_60", 62, "2 √max(−cov_60(r_t, r_t−1), 0) (Roll, 1984)", partial(_roll_spread, window=60)),
    _stock(
        "corwin_schultz_20",
        21,
        "mean_20(max(α, 0)), α = log(ask/bid) from the ranges of two sessions (Corwin and Schultz, 2012)",
        partial(_corwin_schultz, window=20),
    ),
    _stock(
        "zero_return_share_60",
        61,
        "share of sessions with r = 0 among 60 (Lesmond, Ogden and Trzcinka, 1999)",
        partial(_zero_share, window=60),
    ),
    *(
        _stock(
            f"vwap_distance_{n}",
            n,
            f"log(C_t mean_{n}(V) / mean_{n}(TV)): distance from the volume-weighted price",
            partial(_to_average_price, window=n),
        )
        for n in (1, 20)
    ),
    _stock("volume_change_1", 2, "log(V_t / V_t−1)", _volume_change),
    _stock("volume_std_20", 20, "std_20(log V)", partial(_volume_std, window=20)),
    _stock(
        "volume_slope_20",
        20,
        "least-squares slope of log V on time over 20 sessions",
        partial(_volume_slope, window=20),
    ),
    _stock("volume_return_corr_20", 21, "corr_20(r, log V)", partial(_volume_return_correlation, window=20)),
    _stock(
        "volume_range_corr_20",
        20,
        "corr_20(log(H/L), log V)",
        partial(_volume_range_correlation, window=20),
    ),
)
