"""Volatility: close-to-close and range-based estimators, overnight and intraday parts, ratios, volatility of it."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from gogooku3.dataset.elementwise import Floats, divide, log, sqrt
from gogooku3.features import rolling
from gogooku3.features.families.declare import Family
from gogooku3.features.market import Market, quantity

_family = Family("volatility")


@quantity
def close_to_close(market: Market, window: int) -> Floats:
    """Sample standard deviation of log returns, per session."""
    return rolling.std(market.return_TS, window)


@quantity
def log_range(market: Market) -> Floats:
    """log(H / L) of the session."""
    return market.log_high_TS - market.log_low_TS


@quantity
def true_range(market: Market) -> Floats:
    """max(H, C of the last session) − min(L, C of the last session), in units of price (Wilder, 1978)."""
    last_close_TS = rolling.shift(market.close_TS, 1)
    return np.maximum(market.high_TS, last_close_TS) - np.minimum(market.low_TS, last_close_TS)


@quantity
def average_true_range(market: Market, window: int) -> Floats:
    """Simple mean of the true range, divided by the close."""
    return divide(rolling.mean(true_range(market), window), market.close_TS)


@quantity
def parkinson(market: Market, window: int) -> Floats:
    """√(mean(log(H/L)²) / (4 log 2)): Parkinson (1980)."""
    return sqrt(rolling.mean(log_range(market) ** 2, window) / (4.0 * math.log(2.0)))


@quantity
def garman_klass(market: Market, window: int) -> Floats:
    """√mean(½ log(H/L)² − (2 log 2 − 1) log(C/O)²): Garman and Klass (1980)."""
    variance_TS = 0.5 * log_range(market) ** 2 - (2.0 * math.log(2.0) - 1.0) * market.intraday_TS**2
    return sqrt(rolling.mean(variance_TS, window))


@quantity
def rogers_satchell(market: Market, window: int) -> Floats:
    """√mean(log(H/C) log(H/O) + log(L/C) log(L/O)): Rogers and Satchell (1991)."""
    return sqrt(rolling.mean(_rogers_satchell_variance(market), window))


def yang_zhang(market: Market, window: int) -> Floats:
    """√(var(g) + k var(d) + (1 − k) RS), k = 0.34 / (1.34 + (n + 1)/(n − 1)): Yang and Zhang (2000)."""
    k = 0.34 / (1.34 + (window + 1.0) / (window - 1.0))
    drift_free_TS = rolling.mean(_rogers_satchell_variance(market), window)
    return sqrt(night_variance(market, window) + k * day_variance(market, window) + (1.0 - k) * drift_free_TS)


@quantity
def _rogers_satchell_variance(market: Market) -> Floats:
    high_TS, low_TS, open_TS, close_TS = (
        market.log_high_TS,
        market.log_low_TS,
        market.log_open_TS,
        market.log_close_TS,
    )
    return (high_TS - close_TS) * (high_TS - open_TS) + (low_TS - close_TS) * (low_TS - open_TS)


@quantity
def night_variance(market: Market, window: int) -> Floats:
    """Sample variance of the returns from close to open."""
    return rolling.var(market.overnight_TS, window)


@quantity
def day_variance(market: Market, window: int) -> Floats:
    """Sample variance of the returns from open to close."""
    return rolling.var(market.intraday_TS, window)


def _close_to_close_ratio(market: Market, short: int, window: int) -> Floats:
    return log(divide(close_to_close(market, short), close_to_close(market, window)))


def _range_ratio(market: Market, short: int, window: int) -> Floats:
    return log(divide(parkinson(market, short), parkinson(market, window)))


def _range_to_close(market: Market, window: int) -> Floats:
    return log(divide(parkinson(market, window), close_to_close(market, window)))


def _overnight_share(market: Market, window: int) -> Floats:
    night_TS = night_variance(market, window)
    return divide(night_TS, night_TS + day_variance(market, window))


@quantity
def downside(market: Market, window: int) -> Floats:
    """√mean(min(r, 0)²)."""
    return sqrt(rolling.mean(np.minimum(market.return_TS, 0.0) ** 2, window))


@quantity
def upside(market: Market, window: int) -> Floats:
    """√mean(max(r, 0)²)."""
    return sqrt(rolling.mean(np.maximum(market.return_TS, 0.0) ** 2, window))


def _downside_ratio(market: Market, window: int) -> Floats:
    return log(divide(downside(market, window), upside(market, window)))


def _of_volatility(market: Market, short: int, window: int) -> Floats:
    return rolling.std(log(parkinson(market, short)), window)


@quantity
def _square_mean(market: Market, window: int) -> Floats:
    return rolling.mean(market.return_TS**2, window)


def _jump_part(market: Market, window: int) -> Floats:
    size_TS = np.abs(market.return_TS)
    bipower_TS = math.pi / 2.0 * rolling.mean(size_TS * rolling.shift(size_TS, 1), window)
    return 1.0 - divide(bipower_TS, _square_mean(market, window))


@quantity
def mean_size(market: Market, window: int) -> Floats:
    """Mean absolute log return."""
    return rolling.mean(np.abs(market.return_TS), window)


def _fourth_to_square(market: Market, window: int) -> Floats:
    return log(divide(rolling.mean(market.return_TS**4, window), _square_mean(market, window) ** 2))


def _range_variation(market: Market, window: int) -> Floats:
    return divide(rolling.std(log_range(market), window), rolling.mean(log_range(market), window))


def _range_slope(market: Market, window: int) -> Floats:
    return rolling.slope(log_range(market), window)


def _range_deviation(market: Market, window: int) -> Floats:
    return divide(log_range(market), rolling.mean(log_range(market), window))


def _leverage(market: Market, window: int) -> Floats:
    return rolling.corr(rolling.shift(market.return_TS, 1), log_range(market), window)


def _night(market: Market, window: int) -> Floats:
    return sqrt(night_variance(market, window))


def _day(market: Market, window: int) -> Floats:
    return sqrt(day_variance(market, window))


def _decayed(market: Market, window: int) -> Floats:
    return sqrt(rolling.decayed_mean(market.return_TS**2, window))


FEATURES = (
    *_family.each((5, 10, 20, 60, 120, 250), "vol_close_{n}", "std_{n}(r)", close_to_close, before=1),
    *_family.each((5, 20, 60), "vol_parkinson_{n}", "√(mean_{n}(log(H/L)²) / (4 log 2)) (Parkinson, 1980)", parkinson),
    *_family.each(
        (20,),
        "vol_garman_klass_{n}",
        "√mean_{n}(½ log(H/L)² − (2 log 2 − 1) d²) (Garman and Klass, 1980)",
        garman_klass,
    ),
    *_family.each(
        (20,),
        "vol_rogers_satchell_{n}",
        "√mean_{n}(log(H/C) log(H/O) + log(L/C) log(L/O)) (Rogers and Satchell, 1991)",
        rogers_satchell,
    ),
    *_family.each(
        (5, 60),
        "vol_yang_zhang_{n}",
        "√(var_{n}(g) + k var_{n}(d) + (1 − k) v), v = mean_{n}(log(H/C) log(H/O) + log(L/C) log(L/O)), "
        "k = .34 / (1.34 + ({n} + 1) / ({n} − 1)) (Yang and Zhang, 2000)",
        yang_zhang,
        before=1,
    ),
    *_family.each((5, 20, 60), "vol_night_{n}", "std_{n}(g)", _night, before=1),
    *_family.each((5, 20), "vol_day_{n}", "std_{n}(d)", _day),
    *(
        _family.one(
            f"vol_ratio_{short}_{long}",
            long + 1,
            f"log(std_{short}(r) / std_{long}(r))",
            partial(_close_to_close_ratio, short=short, window=long),
        )
        for short, long in ((5, 20), (20, 60), (60, 250))
    ),
    *(
        _family.one(
            f"vol_range_ratio_{short}_{long}",
            long,
            f"log(vol_parkinson_{short} / vol_parkinson_{long})",
            partial(_range_ratio, short=short, window=long),
        )
        for short, long in ((5, 60), (20, 120))
    ),
    *_family.each((20, 60), "vol_range_to_close_{n}", "log(vol_parkinson_{n} / std_{n}(r))", _range_to_close, before=1),
    *_family.each(
        (20, 60), "vol_overnight_share_{n}", "var_{n}(g) / (var_{n}(g) + var_{n}(d))", _overnight_share, before=1
    ),
    *_family.each((20, 60), "vol_down_{n}", "√mean_{n}(min(r, 0)²)", downside, before=1),
    *_family.each((20, 60), "vol_up_{n}", "√mean_{n}(max(r, 0)²)", upside, before=1),
    *_family.each(
        (20, 60, 120),
        "vol_down_to_up_{n}",
        "log(√mean_{n}(min(r, 0)²) / √mean_{n}(max(r, 0)²))",
        _downside_ratio,
        before=1,
    ),
    *_family.each((20,), "vol_decayed_{n}", "√mean_{n}(r²) with weights 1 … {n} rising to t", _decayed, before=1),
    _family.one("vol_of_vol_60", 64, "std_60(log(vol_parkinson_5))", partial(_of_volatility, short=5, window=60)),
    *_family.each(
        (20, 60),
        "vol_jump_{n}",
        "1 − (π/2) mean_{n}(|r_t| |r_t−1|) / mean_{n}(r²) (Barndorff-Nielsen and Shephard, 2004)",
        _jump_part,
        before=2,
    ),
    *_family.each(
        (20,),
        "vol_quarticity_{n}",
        "log(mean_{n}(r⁴) / mean_{n}(r²)²): realised quarticity over the square of realised variance "
        "(after Barndorff-Nielsen and Shephard, 2002)",
        _fourth_to_square,
        before=1,
    ),
    *_family.each((14,), "atr_{n}", "mean_{n}(TR) / C_t (after Wilder, 1978)", average_true_range, before=1),
    _family.one("range_1", 1, "log(H / L)", log_range),
    *_family.each((20, 60), "range_variation_{n}", "std_{n}(log(H / L)) / mean_{n}(log(H / L))", _range_variation),
    *_family.each(
        (20,), "range_slope_{n}", "least-squares slope of log(H / L) on time over {n} sessions", _range_slope
    ),
    *_family.each((20,), "range_deviation_{n}", "log(H / L) / mean_{n}(log(H / L))", _range_deviation),
    *_family.each(
        (60,), "leverage_{n}", "corr_{n}(r_t−1, log(H_t / L_t)): leverage effect (Black, 1976)", _leverage, before=2
    ),
)
