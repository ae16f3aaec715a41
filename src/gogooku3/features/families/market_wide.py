"""Market-wide features, the same for all stocks of a session: index returns, volatility, breadth, dispersion."""

from __future__ import annotations

from functools import partial

import numpy as np

from gogooku3.dataset import cross_section
from gogooku3.dataset.elementwise import Floats, divide, log, share
from gogooku3.features import rolling
from gogooku3.features.families.declare import Family
from gogooku3.features.families.momentum import high_distance
from gogooku3.features.families.relative import index_return
from gogooku3.features.families.returns import past_return
from gogooku3.features.families.technical import close_mean
from gogooku3.features.families.volatility import close_to_close, log_range
from gogooku3.features.families.volume import volume_deviation
from gogooku3.features.market import Market, quantity

_family = Family("climate", "session")


@quantity
def _index_vol(market: Market, window: int) -> Floats:
    return rolling.std(market.index_return_T, window)


def _index_vol_ratio(market: Market, short: int, window: int) -> Floats:
    return log(divide(_index_vol(market, short), _index_vol(market, window)))


def _index_high_distance(market: Market, window: int) -> Floats:
    return log(market.index_T) - log(rolling.highest(market.index_T, window))


def _index_low_distance(market: Market, window: int) -> Floats:
    return log(market.index_T) - log(rolling.lowest(market.index_T, window))


def _breadth(market: Market, window: int) -> Floats:
    past_TS = past_return(market, window)
    return cross_section.mean(share(past_TS > 0, ~np.isnan(past_TS)))


def _above_mean(market: Market, window: int) -> Floats:
    mean_TS = close_mean(market, window)
    return cross_section.mean(share(market.close_TS > mean_TS, ~np.isnan(market.close_TS + mean_TS)))


def _dispersion(market: Market, window: int) -> Floats:
    return cross_section.std(past_return(market, window))


def _high_share(market: Market, window: int) -> Floats:
    distance_TS = high_distance(market, window)
    return cross_section.mean(share(distance_TS > -0.02, ~np.isnan(distance_TS)))


def _volume(market: Market, window: int) -> Floats:
    return cross_section.mean(volume_deviation(market, window))


def _range(market: Market) -> Floats:
    return cross_section.mean(log_range(market))


def _overnight(market: Market) -> Floats:
    return cross_section.mean(market.overnight_TS)


@quantity
def _mean_vol(market: Market, window: int) -> Floats:
    """Mean over the stocks with a bar; a stock without one may still have a full window."""
    return cross_section.mean(np.where(market.present_TS, close_to_close(market, window), np.nan))


def _stock_vol(market: Market, window: int) -> Floats:
    return log(_mean_vol(market, window))


def _togetherness(market: Market, window: int) -> Floats:
    return log(divide(_index_vol(market, window), _mean_vol(market, window)))


FEATURES = (
    *_family.each(
        (1, 5, 20, 60, 250),
        "index_ret_{n}",
        "log return of the index over {n} sessions",
        index_return,
        before=1,
    ),
    *_family.each((20, 60, 120), "index_vol_{n}", "std_{n}(m)", _index_vol, before=1),
    _family.one(
        "index_vol_ratio_20_120",
        121,
        "log(std_20(m) / std_120(m))",
        partial(_index_vol_ratio, short=20, window=120),
    ),
    *_family.each((250,), "index_high_distance_{n}", "log(index_t / max_{n}(index))", _index_high_distance),
    *_family.each((250,), "index_low_distance_{n}", "log(index_t / min_{n}(index))", _index_low_distance),
    *_family.each((1, 20), "breadth_{n}", "share of stocks with log(C_t / C_t−{n}) > 0", _breadth, before=1),
    *_family.each((250,), "above_mean_share_{n}", "share of stocks with C_t > mean_{n}(C)", _above_mean),
    *_family.each(
        (1, 20), "dispersion_{n}", "standard deviation of log(C_t / C_t−{n}) across stocks", _dispersion, before=1
    ),
    *_family.each((250,), "near_high_share_{n}", "share of stocks with log(C_t / max_{n}(H)) > −0.02", _high_share),
    *_family.each((20,), "market_volume_{n}", "mean across stocks of log V − mean_{n}(log V)", _volume),
    _family.one("market_range_1", 1, "mean across stocks of log(H / L)", _range),
    _family.one("market_overnight_1", 2, "mean across stocks of g", _overnight),
    *_family.each((60,), "market_vol_{n}", "log of the mean across stocks of std_{n}(r)", _stock_vol, before=1),
    *_family.each(
        (60,),
        "togetherness_{n}",
        "log(std_{n}(m) / mean across stocks of std_{n}(r)): how far stocks move as one",
        _togetherness,
        before=1,
    ),
)
