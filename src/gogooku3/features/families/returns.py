"""Returns: over several horizons, overnight and intraday, and lagged daily returns."""

from __future__ import annotations

from functools import partial

from gogooku3.dataset.elementwise import Floats
from gogooku3.features import rolling
from gogooku3.features.families.declare import Family
from gogooku3.features.market import Market, quantity

_family = Family("returns")


@quantity
def past_return(market: Market, window: int, skip: int = 0) -> Floats:
    """Log return from the close `window` sessions ago to the close `skip` sessions ago."""
    return rolling.shift(market.log_close_TS, skip) - rolling.shift(market.log_close_TS, window)


def overnight(market: Market) -> Floats:
    """Log return from the last close to the open."""
    return market.overnight_TS


def intraday(market: Market) -> Floats:
    """Log return from the open to the close."""
    return market.intraday_TS


@quantity
def overnight_mean(market: Market, window: int) -> Floats:
    """Mean log return from close to open."""
    return rolling.mean(market.overnight_TS, window)


@quantity
def intraday_mean(market: Market, window: int) -> Floats:
    """Mean log return from open to close."""
    return rolling.mean(market.intraday_TS, window)


def _overnight_less_intraday(market: Market, window: int) -> Floats:
    return rolling.mean(market.overnight_TS - market.intraday_TS, window)


def _lagged(market: Market, lag: int) -> Floats:
    return rolling.shift(market.return_TS, lag)


def _decayed(market: Market, window: int) -> Floats:
    return rolling.decayed_mean(market.return_TS, window)


def _overnight_of(market: Market, lag: int) -> Floats:
    return rolling.shift(market.overnight_TS, lag)


def _intraday_of(market: Market, lag: int) -> Floats:
    return rolling.shift(market.intraday_TS, lag)


FEATURES = (
    *_family.each(
        (1, 2, 3, 5, 10, 20, 40, 60, 120, 250),
        "ret_{n}",
        "log(C_t / C_t−{n})",
        past_return,
        before=1,
    ),
    _family.one("ret_overnight_1", 2, "g = log(O_t / C_t−1)", overnight),
    _family.one("ret_intraday_1", 1, "d = log(C_t / O_t)", intraday),
    *_family.each((5, 20, 60), "ret_overnight_{n}", "mean_{n}(g)", overnight_mean, before=1),
    *_family.each((5, 20, 60), "ret_intraday_{n}", "mean_{n}(d)", intraday_mean),
    *_family.each(
        (5, 20, 60),
        "ret_overnight_less_intraday_{n}",
        "mean_{n}(g − d): tug of war (Lou, Polk and Skouras, 2019)",
        _overnight_less_intraday,
        before=1,
    ),
    *(_family.one(f"ret_1_lag_{k}", k + 2, f"r_t−{k}", partial(_lagged, lag=k)) for k in (1, 2, 3)),
    _family.one("ret_overnight_1_lag_1", 3, "g_t−1", partial(_overnight_of, lag=1)),
    _family.one("ret_intraday_1_lag_1", 2, "d_t−1", partial(_intraday_of, lag=1)),
    *_family.each((10,), "ret_decayed_{n}", "mean_{n}(r) with weights 1 … {n} rising to t", _decayed, before=1),
)
