"""A stock relative to its sector: sector-neutral values, sector means, sector beta."""

from __future__ import annotations

from functools import partial

import numpy as np

from gogooku3.dataset import cross_section
from gogooku3.dataset.elementwise import Floats
from gogooku3.features import rolling
from gogooku3.features.families.declare import Family
from gogooku3.features.families.liquidity import log_turnover
from gogooku3.features.families.momentum import high_distance
from gogooku3.features.families.relative import beta
from gogooku3.features.families.returns import intraday, overnight, past_return
from gogooku3.features.families.volatility import close_to_close, log_range
from gogooku3.features.families.volume import volume_deviation, volume_ratio
from gogooku3.features.market import Market

_family = Family("sector")


def sector_mean(values_TS: Floats, market: Market) -> Floats:
    """Mean over the stock's sector, including the stock."""
    return cross_section.group_mean(values_TS, market.sector_S)


def less_sector(values_TS: Floats, market: Market) -> Floats:
    """Sector-neutral values: minus the mean of the stock's sector."""
    return values_TS - sector_mean(values_TS, market)


def _beta(market: Market, window: int) -> Floats:
    return rolling.beta(market.sector_return_TS, market.return_TS, window)


def _correlation(market: Market, window: int) -> Floats:
    return rolling.corr(market.sector_return_TS, market.return_TS, window)


def _delayed_correlation(market: Market, window: int) -> Floats:
    return rolling.corr(rolling.shift(market.sector_return_TS, 1), market.return_TS, window)


def _sector_vol(market: Market, window: int) -> Floats:
    return rolling.std(market.sector_return_TS, window)


def _sector_lag(market: Market, lag: int) -> Floats:
    return rolling.shift(market.sector_return_TS, lag)


def _up(market: Market) -> Floats:
    return np.where(np.isnan(market.return_TS), np.nan, (market.return_TS > 0).astype(np.float64))


FEATURES = (
    *_family.each(
        (1, 5, 20, 60, 120),
        "ret_{n}_less_sector",
        "log(C_t / C_t−{n}) less its mean over the sector",
        past_return,
        before=1,
        across=less_sector,
    ),
    *_family.each(
        (1, 5, 20, 60),
        "sector_ret_{n}",
        "mean over the sector of log(C_t / C_t−{n}) (after Moskowitz and Grinblatt, 1999)",
        past_return,
        before=1,
        across=sector_mean,
    ),
    _family.one(
        "mom_250_skip_20_less_sector",
        251,
        "log(C_t−20 / C_t−250) less its mean over the sector",
        partial(past_return, window=250, skip=20),
        less_sector,
    ),
    _family.one(
        "sector_mom_250_skip_20",
        251,
        "mean over the sector of log(C_t−20 / C_t−250) (after Moskowitz and Grinblatt, 1999)",
        partial(past_return, window=250, skip=20),
        sector_mean,
    ),
    _family.one("overnight_less_sector_1", 2, "g less its mean over the sector", overnight, less_sector),
    _family.one("intraday_less_sector_1", 1, "d less its mean over the sector", intraday, less_sector),
    _family.one("sector_overnight_1", 2, "mean of g over the sector", overnight, sector_mean),
    _family.one("sector_ret_1_lag_1", 3, "mean of r over the sector, one session ago", partial(_sector_lag, lag=1)),
    _family.one("sector_up_share_1", 2, "share of the sector's stocks with r > 0", _up, sector_mean),
    *_family.each(
        (60,),
        "sector_beta_{n}",
        "least-squares slope of r on the sector's mean r over {n} sessions",
        _beta,
        before=1,
    ),
    *_family.each((60,), "sector_corr_{n}", "corr_{n}(r, the sector's mean r)", _correlation, before=1),
    *_family.each(
        (60,),
        "sector_corr_delayed_{n}",
        "corr_{n}(r_t, the sector's mean r_t−1) (after Hou, 2007)",
        _delayed_correlation,
        before=2,
    ),
    *_family.each((20,), "sector_vol_{n}", "std_{n} of the sector's mean r", _sector_vol, before=1),
    *_family.each(
        (20, 60),
        "vol_{n}_less_sector",
        "std_{n}(r) less its mean over the sector",
        close_to_close,
        before=1,
        across=less_sector,
    ),
    *_family.each(
        (20,),
        "volume_{n}_less_sector",
        "log V − mean_{n}(log V) less its mean over the sector",
        volume_deviation,
        across=less_sector,
    ),
    _family.one(
        "volume_ratio_5_60_less_sector",
        60,
        "log(mean_5(V) / mean_60(V)) less its mean over the sector",
        partial(volume_ratio, short=5, window=60),
        less_sector,
    ),
    *_family.each(
        (20,),
        "sector_volume_{n}",
        "mean over the sector of log V − mean_{n}(log V)",
        volume_deviation,
        across=sector_mean,
    ),
    *_family.each(
        (20,),
        "turnover_{n}_less_sector",
        "log mean_{n}(TV) less its mean over the sector",
        log_turnover,
        across=less_sector,
    ),
    *_family.each(
        (60,), "beta_{n}_less_sector", "beta_{n} less its mean over the sector", beta, before=1, across=less_sector
    ),
    *_family.each(
        (250,),
        "high_distance_{n}_less_sector",
        "log(C_t / max_{n}(H)) less its mean over the sector",
        high_distance,
        across=less_sector,
    ),
    *_family.each(
        (250,),
        "sector_high_distance_{n}",
        "mean over the sector of log(C_t / max_{n}(H))",
        high_distance,
        across=sector_mean,
    ),
    _family.one("range_less_sector_1", 1, "log(H / L) less its mean over the sector", log_range, less_sector),
)
