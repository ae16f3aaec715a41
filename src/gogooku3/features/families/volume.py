"""Volume: its level relative to the past, its variability, and its correlation with price."""

from __future__ import annotations

from functools import partial

import numpy as np

from gogooku3.dataset.elementwise import Floats, divide, log
from gogooku3.features import rolling
from gogooku3.features.families.candles import close_place
from gogooku3.features.families.declare import Family
from gogooku3.features.families.volatility import log_range
from gogooku3.features.market import Market, quantity

_family = Family("volume")


@quantity
def _mean_volume(market: Market, window: int) -> Floats:
    return rolling.mean(market.volume_TS, window)


@quantity
def volume_ratio(market: Market, short: int, window: int) -> Floats:
    """log of the mean volume of `short` sessions over that of `window`."""
    return log(divide(_mean_volume(market, short), _mean_volume(market, window)))


@quantity
def _mean_log_volume(market: Market, window: int) -> Floats:
    return rolling.mean(market.log_volume_TS, window)


@quantity
def volume_deviation(market: Market, window: int, lag: int = 0) -> Floats:
    """log volume `lag` sessions ago minus the mean log volume of the window that ends at t."""
    return rolling.shift(market.log_volume_TS, lag) - _mean_log_volume(market, window)


@quantity
def _change(market: Market) -> Floats:
    return market.log_volume_TS - rolling.shift(market.log_volume_TS, 1)


def _std(market: Market, window: int) -> Floats:
    return rolling.std(market.log_volume_TS, window)


def _slope(market: Market, window: int) -> Floats:
    return rolling.slope(market.log_volume_TS, window)


def _skew(market: Market, window: int) -> Floats:
    return rolling.skew(market.log_volume_TS, window)


def _place(market: Market, window: int) -> Floats:
    return rolling.rank_of_last(market.volume_TS, window)


def _from_highest(market: Market, window: int) -> Floats:
    return market.log_volume_TS - rolling.highest(market.log_volume_TS, window)


def _since_highest(market: Market, window: int) -> Floats:
    return rolling.since_highest(market.volume_TS, window)


def _autocorrelation(market: Market, window: int) -> Floats:
    return rolling.corr(market.log_volume_TS, rolling.shift(market.log_volume_TS, 1), window)


def _return_correlation(market: Market, window: int) -> Floats:
    return rolling.corr(market.return_TS, market.log_volume_TS, window)


def _price_correlation(market: Market, window: int) -> Floats:
    return rolling.corr(market.log_close_TS, market.log_volume_TS, window)


def _change_correlation(market: Market, window: int) -> Floats:
    return rolling.corr(market.return_TS, _change(market), window)


def _range_correlation(market: Market, window: int) -> Floats:
    return rolling.corr(log_range(market), market.log_volume_TS, window)


def _size_correlation(market: Market, window: int) -> Floats:
    return rolling.corr(np.abs(market.return_TS), market.log_volume_TS, window)


def _signed(market: Market, window: int) -> Floats:
    sign_TS = np.sign(market.return_TS)
    volume_TS = np.where(np.isnan(sign_TS), np.nan, market.volume_TS)
    return divide(rolling.mean(sign_TS * volume_TS, window), rolling.mean(volume_TS, window))


def _weighted_return(market: Market, window: int) -> Floats:
    volume_TS = np.where(np.isnan(market.return_TS), np.nan, market.volume_TS)
    return divide(rolling.mean(market.return_TS * volume_TS, window), rolling.mean(volume_TS, window))


def _accumulation(market: Market, window: int) -> Floats:
    place_TS = 2.0 * close_place(market) - 1.0
    volume_TS = np.where(np.isnan(place_TS), np.nan, market.volume_TS)
    return divide(rolling.mean(place_TS * volume_TS, window), rolling.mean(volume_TS, window))


def _money_flow(market: Market, window: int) -> Floats:
    price_TS = (market.high_TS + market.low_TS + market.close_TS) / 3.0
    change_TS = price_TS - rolling.shift(price_TS, 1)
    flow_TS = np.where(np.isnan(change_TS), np.nan, price_TS * market.volume_TS)
    risen_TS = rolling.mean(np.where(change_TS > 0, flow_TS, 0.0 * flow_TS), window)
    fallen_TS = rolling.mean(np.where(change_TS < 0, flow_TS, 0.0 * flow_TS), window)
    return divide(risen_TS, risen_TS + fallen_TS)


def _gain_share(market: Market, window: int) -> Floats:
    change_TS = market.volume_TS - rolling.shift(market.volume_TS, 1)
    return divide(rolling.mean(np.maximum(change_TS, 0.0), window), rolling.mean(np.abs(change_TS), window))


def _moving_money_variation(market: Market, window: int) -> Floats:
    moved_TS = np.abs(market.return_TS) * market.volume_TS
    return divide(rolling.std(moved_TS, window), rolling.mean(moved_TS, window))


FEATURES = (
    *(
        _family.one(
            f"volume_ratio_{short}_{long}",
            long,
            f"log(mean_{short}(V) / mean_{long}(V))",
            partial(volume_ratio, short=short, window=long),
        )
        for short, long in ((1, 5), (1, 20), (5, 20), (5, 60), (20, 250))
    ),
    *(
        _family.one(
            f"volume_deviation_20_lag_{k}",
            20,
            f"log V_t−{k} − mean_20(log V)",
            partial(volume_deviation, window=20, lag=k),
        )
        for k in (0, 1, 2, 3, 5)
    ),
    _family.one("volume_change_1", 2, "log(V_t / V_t−1)", _change),
    *_family.each((20, 60), "volume_std_{n}", "std_{n}(log V)", _std),
    *_family.each((20, 60), "volume_slope_{n}", "least-squares slope of log V on time over {n} sessions", _slope),
    *_family.each((60,), "volume_skew_{n}", "skewness of log V over {n} sessions", _skew),
    *_family.each(
        (20,),
        "volume_place_{n}",
        "share of the window's other volumes below V_t, equals counting half, over {n} sessions",
        _place,
    ),
    *_family.each((20, 250), "volume_from_highest_{n}", "log(V_t / max_{n}(V))", _from_highest),
    *_family.each((20,), "since_volume_high_{n}", "sessions since max_{n}(V), the last of equals", _since_highest),
    *_family.each((20, 60), "volume_autocorr_{n}", "corr_{n}(log V_t, log V_t−1)", _autocorrelation, before=1),
    *_family.each((20, 60), "volume_return_corr_{n}", "corr_{n}(r, log V)", _return_correlation, before=1),
    *_family.each(
        (20, 60),
        "volume_price_corr_{n}",
        "corr_{n}(log C, log V) (after Yang et al., 2020, Alpha158 CORR)",
        _price_correlation,
    ),
    *_family.each(
        (20, 60),
        "volume_change_corr_{n}",
        "corr_{n}(r, log(V_t / V_t−1)) (after Yang et al., 2020, Alpha158 CORD)",
        _change_correlation,
        before=1,
    ),
    *_family.each((20, 60), "volume_range_corr_{n}", "corr_{n}(log(H / L), log V)", _range_correlation),
    *_family.each(
        (20, 60), "volume_size_corr_{n}", "corr_{n}(|r|, log V) (Karpoff, 1987)", _size_correlation, before=1
    ),
    *_family.each(
        (20, 60),
        "signed_volume_{n}",
        "mean_{n}(sign(r) V) / mean_{n}(V) (after Granville's on-balance volume)",
        _signed,
        before=1,
    ),
    *_family.each((20, 60), "volume_weighted_ret_{n}", "mean_{n}(r V) / mean_{n}(V)", _weighted_return, before=1),
    *_family.each(
        (5, 20),
        "accumulation_{n}",
        "mean_{n}(k V) / mean_{n}(V), k = (2 C − H − L) / (H − L) (Chaikin's money flow)",
        _accumulation,
    ),
    *_family.each(
        (14, 28),
        "money_flow_{n}",
        "u / (u + v), u = mean_{n}(p V where p_t > p_t−1, else 0), v = mean_{n}(p V where p_t < p_t−1, else 0), "
        "p = (H + L + C) / 3 (Quong and Soudack, 1989)",
        _money_flow,
        before=1,
    ),
    *_family.each(
        (20, 60),
        "volume_gain_share_{n}",
        "mean_{n}(max(ΔV, 0)) / mean_{n}(|ΔV|), ΔV = V_t − V_t−1 (Yang et al., 2020, Alpha158 VSUMP)",
        _gain_share,
        before=1,
    ),
    *_family.each(
        (20, 60),
        "moved_volume_variation_{n}",
        "std_{n}(|r| V) / mean_{n}(|r| V) (after Yang et al., 2020, Alpha158 WVMA)",
        _moving_money_variation,
        before=1,
    ),
)
