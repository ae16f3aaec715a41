"""Volatility: close-to-close and from the day's range, its parts, its ratios and its own movement."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from gogooku3.dataset import rolling
from gogooku3.dataset.elementwise import Floats, divide, log, sqrt
from gogooku3.dataset.feature import Feature
from gogooku3.dataset.market import Market

_stock = partial(Feature, "volatility", "stock")


def close_to_close(market: Market, window: int) -> Floats:
    """Sample standard deviation of log returns, per session."""
    return rolling.std(market.return_TS, window)


def log_range(market: Market) -> Floats:
    """log(H / L) of the session."""
    return log(divide(market.high_TS, market.low_TS))


def true_range(market: Market) -> Floats:
    """max(H, C of the last session) − min(L, C of the last session), in units of price (Wilder, 1978)."""
    last_close_TS = rolling.shift(market.close_TS, 1)
    return np.maximum(market.high_TS, last_close_TS) - np.minimum(market.low_TS, last_close_TS)


def average_true_range(market: Market, window: int) -> Floats:
    """Plain mean of the true range over the close."""
    return divide(rolling.mean(true_range(market), window), market.close_TS)


def parkinson(market: Market, window: int) -> Floats:
    """√(mean(log(H/L)²) / (4 log 2)): Parkinson (1980)."""
    return sqrt(rolling.mean(log_range(market) ** 2, window) / (4.0 * math.log(2.0)))


def garman_klass(market: Market, window: int) -> Floats:
    """√mean(½ log(H/L)² − (2 log 2 − 1) log(C/O)²): Garman and Klass (1980)."""
    variance_TS = 0.5 * log_range(market) ** 2 - (2.0 * math.log(2.0) - 1.0) * market.intraday_TS**2
    return sqrt(rolling.mean(variance_TS, window))


def rogers_satchell(market: Market, window: int) -> Floats:
    """√mean(log(H/C) log(H/O) + log(L/C) log(L/O)): Rogers and Satchell (1991)."""
    return sqrt(rolling.mean(_rogers_satchell_variance(market), window))


def yang_zhang(market: Market, window: int) -> Floats:
    """√(var(g) + k var(d) + (1 − k) RS), k = 0.34 / (1.34 + (n + 1)/(n − 1)): Yang and Zhang (2000)."""
    k = 0.34 / (1.34 + (window + 1.0) / (window - 1.0))
    night_TS, day_TS = rolling.var(market.overnight_TS, window), rolling.var(market.intraday_TS, window)
    drift_free_TS = rolling.mean(_rogers_satchell_variance(market), window)
    return sqrt(night_TS + k * day_TS + (1.0 - k) * drift_free_TS)


def _rogers_satchell_variance(market: Market) -> Floats:
    above_TS = log(divide(market.high_TS, market.close_TS)) * log(divide(market.high_TS, market.open_TS))
    below_TS = log(divide(market.low_TS, market.close_TS)) * log(divide(market.low_TS, market.open_TS))
    return above_TS + below_TS


def _close_to_close_ratio(market: Market, short: int, long: int) -> Floats:
    return log(divide(close_to_close(market, short), close_to_close(market, long)))


def _range_ratio(market: Market, short: int, long: int) -> Floats:
    return log(divide(parkinson(market, short), parkinson(market, long)))


def _range_to_close(market: Market, window: int) -> Floats:
    return log(divide(parkinson(market, window), close_to_close(market, window)))


def _overnight_share(market: Market, window: int) -> Floats:
    night_TS, day_TS = rolling.var(market.overnight_TS, window), rolling.var(market.intraday_TS, window)
    return divide(night_TS, night_TS + day_TS)


def downside(market: Market, window: int) -> Floats:
    """√mean(min(r, 0)²)."""
    return sqrt(rolling.mean(np.minimum(market.return_TS, 0.0) ** 2, window))


def _downside_ratio(market: Market, window: int) -> Floats:
    upside_TS = sqrt(rolling.mean(np.maximum(market.return_TS, 0.0) ** 2, window))
    return log(divide(downside(market, window), upside_TS))


def _of_volatility(market: Market, short: int, window: int) -> Floats:
    return rolling.std(log(parkinson(market, short)), window)


def _jump_part(market: Market, window: int) -> Floats:
    size_TS = np.abs(market.return_TS)
    bipower_TS = math.pi / 2.0 * rolling.mean(size_TS * rolling.shift(size_TS, 1), window)
    return 1.0 - divide(bipower_TS, rolling.mean(size_TS**2, window))


FEATURES = (
    *(_stock(f"vol_close_{n}", n + 1, f"std_{n}(r)", partial(close_to_close, window=n)) for n in (5, 20, 60)),
    *(
        _stock(
            f"vol_parkinson_{n}",
            n,
            f"√(mean_{n}(log(H/L)²) / (4 log 2)) (Parkinson, 1980)",
            partial(parkinson, window=n),
        )
        for n in (5, 20, 60)
    ),
    *(
        _stock(
            f"vol_garman_klass_{n}",
            n,
            f"√mean_{n}(½ log(H/L)² − (2 log 2 − 1) d²) (Garman and Klass, 1980)",
            partial(garman_klass, window=n),
        )
        for n in (5, 20, 60)
    ),
    *(
        _stock(
            f"vol_rogers_satchell_{n}",
            n,
            f"√mean_{n}(log(H/C) log(H/O) + log(L/C) log(L/O)) (Rogers and Satchell, 1991)",
            partial(rogers_satchell, window=n),
        )
        for n in (5, 20, 60)
    ),
    *(
        _stock(
            f"vol_yang_zhang_{n}",
            n + 1,
            f"√(var_{n}(g) + k var_{n}(d) + (1 − k) RS_{n}²), k = .34/(1.34 + {n + 1}/{n - 1}) (Yang and Zhang, 2000)",
            partial(yang_zhang, window=n),
        )
        for n in (5, 20, 60)
    ),
    *(
        _stock(
            f"vol_ratio_{short}_{long}",
            long + 1,
            f"log(std_{short}(r) / std_{long}(r))",
            partial(_close_to_close_ratio, short=short, long=long),
        )
        for short, long in ((5, 20), (20, 60))
    ),
    _stock(
        "vol_range_ratio_5_60",
        60,
        "log(parkinson_5 / parkinson_60)",
        partial(_range_ratio, short=5, long=60),
    ),
    _stock("vol_range_to_close_20", 21, "log(parkinson_20 / std_20(r))", partial(_range_to_close, window=20)),
    _stock("vol_overnight_share_20", 21, "var_20(g) / (var_20(g) + var_20(d))", partial(_overnight_share, window=20)),
    *(_stock(f"vol_down_{n}", n + 1, f"√mean_{n}(min(r, 0)²)", partial(downside, window=n)) for n in (20, 60)),
    _stock(
        "vol_down_to_up_60",
        61,
        "log(√mean_60(min(r, 0)²) / √mean_60(max(r, 0)²))",
        partial(_downside_ratio, window=60),
    ),
    _stock("vol_of_vol_60", 64, "std_60(log(parkinson_5))", partial(_of_volatility, short=5, window=60)),
    _stock(
        "vol_jump_60",
        62,
        "1 − (π/2) mean_60(|r_t| |r_t−1|) / mean_60(r²) (Barndorff-Nielsen and Shephard, 2004)",
        partial(_jump_part, window=60),
    ),
    *(
        _stock(f"atr_{n}", n + 1, f"mean_{n}(true range) / C_t (Wilder, 1978)", partial(average_true_range, window=n))
        for n in (5, 14)
    ),
    _stock("range_1", 1, "log(H / L)", log_range),
)
