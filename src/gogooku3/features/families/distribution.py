"""Distribution of returns in a window: skewness, kurtosis, extremes, and autocorrelation between sessions."""

from __future__ import annotations

from functools import partial

import numpy as np

from gogooku3.dataset.elementwise import Floats, divide, log, share
from gogooku3.features import rolling
from gogooku3.features.families.declare import Family
from gogooku3.features.families.momentum import return_mean
from gogooku3.features.families.returns import past_return
from gogooku3.features.families.volatility import close_to_close
from gogooku3.features.market import Market, quantity

_family = Family("distribution")


@quantity
def max_return(market: Market, window: int) -> Floats:
    """Largest daily log return of the window."""
    return rolling.highest(market.return_TS, window)


@quantity
def _min_return(market: Market, window: int) -> Floats:
    return rolling.lowest(market.return_TS, window)


@quantity
def _skew(market: Market, window: int) -> Floats:
    return rolling.skew(market.return_TS, window)


def _kurt(market: Market, window: int) -> Floats:
    return rolling.kurt(market.return_TS, window)


def _night_skew(market: Market, window: int) -> Floats:
    return rolling.skew(market.overnight_TS, window)


def _day_skew(market: Market, window: int) -> Floats:
    return rolling.skew(market.intraday_TS, window)


@quantity
def _quantile(market: Market, window: int, q: float) -> Floats:
    return rolling.quantile(market.return_TS, window, q)


def _tail_balance(market: Market, window: int, q: float) -> Floats:
    low_TS, high_TS = _quantile(market, window, q=q), _quantile(market, window, q=1.0 - q)
    return divide(high_TS + low_TS - 2.0 * _quantile(market, window, q=0.5), high_TS - low_TS)


@quantity
def up_share(market: Market, window: int) -> Floats:
    """Share of the sessions with a positive return."""
    return rolling.mean(share(market.return_TS > 0, ~np.isnan(market.return_TS)), window)


def _day_up_share(market: Market, window: int) -> Floats:
    return rolling.mean(share(market.intraday_TS > 0, ~np.isnan(market.intraday_TS)), window)


def _jump_share(market: Market, window: int) -> Floats:
    usual_TS = rolling.shift(close_to_close(market, window), 1)
    jump_TS = np.abs(market.return_TS) > 2.0 * usual_TS
    return rolling.mean(share(jump_TS, ~np.isnan(market.return_TS + usual_TS)), window)


def _standardised(market: Market, window: int) -> Floats:
    return divide(market.return_TS, rolling.shift(close_to_close(market, window), 1))


def _autocorrelation(market: Market, window: int, lag: int) -> Floats:
    return rolling.corr(market.return_TS, rolling.shift(market.return_TS, lag), window)


def _size_autocorrelation(market: Market, window: int) -> Floats:
    size_TS = np.abs(market.return_TS)
    return rolling.corr(size_TS, rolling.shift(size_TS, 1), window)


def _night_day_correlation(market: Market, window: int) -> Floats:
    return rolling.corr(market.overnight_TS, market.intraday_TS, window)


def _day_night_correlation(market: Market, window: int) -> Floats:
    return rolling.corr(rolling.shift(market.intraday_TS, 1), market.overnight_TS, window)


def _variance_ratio(market: Market, window: int, sessions: int) -> Floats:
    long_TS = rolling.var(past_return(market, sessions), window)
    return log(divide(long_TS, sessions * close_to_close(market, window) ** 2))


def _rescaled_range(market: Market, window: int) -> Floats:
    reach_TS = rolling.highest(market.log_close_TS, window) - rolling.lowest(market.log_close_TS, window)
    return log(divide(reach_TS, close_to_close(market, window)))


def _extreme_balance(market: Market, window: int) -> Floats:
    return max_return(market, window) + _min_return(market, window)


def _shift_of_mean(market: Market, window: int) -> Floats:
    recent_TS = return_mean(market, window // 3)
    return divide(recent_TS - return_mean(market, window), close_to_close(market, window))


FEATURES = (
    *_family.each((20, 60, 120), "skew_{n}", "skewness of r over {n} sessions", _skew, before=1),
    *_family.each((20, 60), "kurt_{n}", "excess kurtosis of r over {n} sessions", _kurt, before=1),
    *_family.each((60,), "night_skew_{n}", "skewness of g over {n} sessions", _night_skew, before=1),
    *_family.each((60,), "day_skew_{n}", "skewness of d over {n} sessions", _day_skew),
    *_family.each((5, 20), "max_return_{n}", "max_{n}(r) (Bali, Cakici and Whitelaw, 2011)", max_return, before=1),
    *_family.each((5, 20), "min_return_{n}", "min_{n}(r)", _min_return, before=1),
    *_family.each((20,), "extreme_balance_{n}", "max_{n}(r) + min_{n}(r)", _extreme_balance, before=1),
    *(
        _family.one(
            f"quantile_{percent}_60",
            61,
            f"{percent} % quantile of r over 60 sessions (Hyndman and Fan, 1996, type 7)",
            partial(_quantile, window=60, q=percent / 100.0),
        )
        for percent in (10, 90)
    ),
    _family.one(
        "tail_balance_60",
        61,
        "(q90 + q10 − 2 q50) / (q90 − q10), quantiles of r over 60 sessions (Kelly's skewness)",
        partial(_tail_balance, window=60, q=0.1),
    ),
    *_family.each((5, 20, 60, 120), "up_share_{n}", "share of sessions with r > 0 among {n}", up_share, before=1),
    *_family.each((20,), "day_up_share_{n}", "share of sessions with d > 0 among {n}", _day_up_share),
    _family.one(
        "jump_share_60",
        121,
        "share among 60 sessions of |r| above twice the std_60(r) of the session before",
        partial(_jump_share, window=60),
    ),
    *_family.each((60,), "surprise_{n}", "r_t / std_{n}(r)_t−1", _standardised, before=2),
    *(
        _family.one(
            f"autocorr_{k}_{n}", n + k + 1, f"corr_{n}(r_t, r_t−{k})", partial(_autocorrelation, window=n, lag=k)
        )
        for k, n in ((1, 60), (2, 60), (5, 60))
    ),
    *_family.each((60,), "size_autocorr_1_{n}", "corr_{n}(|r_t|, |r_t−1|)", _size_autocorrelation, before=2),
    *_family.each((20, 60), "night_day_corr_{n}", "corr_{n}(g, d)", _night_day_correlation, before=1),
    *_family.each((60,), "day_night_corr_{n}", "corr_{n}(d_t−1, g_t)", _day_night_correlation, before=1),
    *(
        _family.one(
            f"variance_ratio_{k}_{n}",
            n + k,
            f"log(var_{n}(log(C_t / C_t−{k})) / ({k} var_{n}(r))) (Lo and MacKinlay, 1988)",
            partial(_variance_ratio, window=n, sessions=k),
        )
        for k, n in ((2, 60), (5, 60), (10, 120))
    ),
    *_family.each(
        (20, 60, 250),
        "rescaled_range_{n}",
        "log((max_{n}(log C) − min_{n}(log C)) / std_{n}(r)) (after Hurst, 1951)",
        _rescaled_range,
        before=1,
    ),
    *_family.each((60,), "mean_shift_{n}", "(mean_20(r) − mean_{n}(r)) / std_{n}(r)", _shift_of_mean, before=1),
)
