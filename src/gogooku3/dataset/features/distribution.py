"""The distribution of returns in a window: shape, extremes, and dependence from one session to the next."""

from __future__ import annotations

from functools import partial

import numpy as np

from gogooku3.dataset import rolling
from gogooku3.dataset.elementwise import Floats, divide, log, share
from gogooku3.dataset.feature import Feature
from gogooku3.dataset.features.returns import past_return
from gogooku3.dataset.market import Market

_stock = partial(Feature, "distribution", "stock")


def max_return(market: Market, window: int) -> Floats:
    """Largest daily log return of the window."""
    return rolling.highest(market.return_TS, window)


def _skew(market: Market, window: int) -> Floats:
    return rolling.skew(market.return_TS, window)


def _kurt(market: Market, window: int) -> Floats:
    return rolling.kurt(market.return_TS, window)


def _min_return(market: Market, window: int) -> Floats:
    return rolling.lowest(market.return_TS, window)


def _quantile(market: Market, window: int, q: float) -> Floats:
    return rolling.quantile(market.return_TS, window, q)


def _tail_balance(market: Market, window: int, q: float) -> Floats:
    low_TS, high_TS = _quantile(market, window, q), _quantile(market, window, 1.0 - q)
    return divide(high_TS + low_TS - 2.0 * _quantile(market, window, 0.5), high_TS - low_TS)


def _up_share(market: Market, window: int) -> Floats:
    return rolling.mean(share(market.return_TS > 0, ~np.isnan(market.return_TS)), window)


def _jump_share(market: Market, window: int) -> Floats:
    usual_TS = rolling.shift(rolling.std(market.return_TS, window), 1)
    jump_TS = np.abs(market.return_TS) > 2.0 * usual_TS
    return rolling.mean(share(jump_TS, ~np.isnan(market.return_TS + usual_TS)), window)


def _standardised(market: Market, window: int) -> Floats:
    return divide(market.return_TS, rolling.shift(rolling.std(market.return_TS, window), 1))


def _autocorrelation(market: Market, window: int, lag: int) -> Floats:
    return rolling.corr(market.return_TS, rolling.shift(market.return_TS, lag), window)


def _size_autocorrelation(market: Market, window: int) -> Floats:
    size_TS = np.abs(market.return_TS)
    return rolling.corr(size_TS, rolling.shift(size_TS, 1), window)


def _night_day_correlation(market: Market, window: int) -> Floats:
    return rolling.corr(market.overnight_TS, market.intraday_TS, window)


def _variance_ratio(market: Market, window: int, sessions: int) -> Floats:
    long_TS = rolling.var(past_return(market, sessions), window)
    return log(divide(long_TS, sessions * rolling.var(market.return_TS, window)))


FEATURES = (
    *(_stock(f"skew_{n}", n + 1, f"skewness of r over {n} sessions", partial(_skew, window=n)) for n in (20, 60)),
    *(
        _stock(f"kurt_{n}", n + 1, f"excess kurtosis of r over {n} sessions", partial(_kurt, window=n))
        for n in (20, 60)
    ),
    _stock("max_return_20", 21, "max_20(r) (Bali, Cakici and Whitelaw, 2011)", partial(max_return, window=20)),
    _stock("min_return_20", 21, "min_20(r)", partial(_min_return, window=20)),
    *(
        _stock(
            f"quantile_{percent}_60",
            61,
            f"{percent} % quantile of r over 60 sessions (Hyndman and Fan, 1996, type 7)",
            partial(_quantile, window=60, q=percent / 100.0),
        )
        for percent in (10, 90)
    ),
    _stock(
        "tail_balance_60",
        61,
        "(q90 + q10 − 2 q50) / (q90 − q10) of r over 60 sessions (Bowley's skewness, deciles)",
        partial(_tail_balance, window=60, q=0.1),
    ),
    *(
        _stock(f"up_share_{n}", n + 1, f"share of sessions with r > 0 among {n}", partial(_up_share, window=n))
        for n in (5, 20, 60)
    ),
    _stock(
        "jump_share_60",
        121,
        "share among 60 sessions of |r| above twice the std_60(r) of the session before",
        partial(_jump_share, window=60),
    ),
    _stock("surprise_60", 62, "r_t / std_60(r)_t−1", partial(_standardised, window=60)),
    *(
        _stock(f"autocorr_{k}_60", 61 + k, f"corr_60(r_t, r_t−{k})", partial(_autocorrelation, window=60, lag=k))
        for k in (1, 2, 5)
    ),
    _stock("size_autocorr_1_60", 62, "corr_60(|r_t|, |r_t−1|)", partial(_size_autocorrelation, window=60)),
    _stock("night_day_corr_60", 61, "corr_60(g, d)", partial(_night_day_correlation, window=60)),
    _stock(
        "variance_ratio_5_60",
        65,
        "log(var_60(log(C_t / C_t−5)) / (5 var_60(r))) (Lo and MacKinlay, 1988)",
        partial(_variance_ratio, window=60, sessions=5),
    ),
)
