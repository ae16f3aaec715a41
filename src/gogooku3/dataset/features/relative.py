"""A stock beside the market's index and beside its sector.

A return less the index's own return is not here: what is the same for all stocks of a session falls out when the
session is normalised, and the return itself would be left.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from gogooku3.dataset import cross_section, rolling
from gogooku3.dataset.elementwise import Floats, divide, log
from gogooku3.dataset.feature import Feature
from gogooku3.dataset.features.liquidity import volume_deviation
from gogooku3.dataset.features.returns import intraday, overnight, past_return
from gogooku3.dataset.market import Market

_stock = partial(Feature, "relative", "stock")

Quantity = Callable[[Market], Floats]


def sector(market: Market, of: Quantity) -> Floats:
    """Mean of a quantity over the stock's sector, itself included."""
    return cross_section.group_mean(of(market), market.sector_S)


def less_sector(market: Market, of: Quantity) -> Floats:
    """A quantity less its mean over the stock's sector."""
    return of(market) - sector(market, of)


def index_return(market: Market, sessions: int) -> Floats:
    """[T] log return of the index."""
    return log(divide(market.index_T, rolling.shift(market.index_T, sessions)))


def beta(market: Market, window: int) -> Floats:
    """Least-squares slope of the stock's log returns on the index's."""
    return rolling.beta(market.index_return_TS, market.return_TS, window)


def _beta_change(market: Market, short: int, long: int) -> Floats:
    return beta(market, short) - beta(market, long)


def _falling_beta(market: Market, window: int) -> Floats:
    both_TS = np.minimum(market.return_TS, 0.0) * np.minimum(market.index_return_TS, 0.0)
    square_TS = np.where(np.isnan(both_TS), np.nan, market.index_return_TS**2)
    return divide(rolling.mean(both_TS, window), rolling.mean(square_TS, window))


def _index_correlation(market: Market, window: int) -> Floats:
    return rolling.corr(market.index_return_TS, market.return_TS, window)


def _idiosyncratic(market: Market, window: int) -> Floats:
    return rolling.residual_std(market.index_return_TS, market.return_TS, window)


def _residual_return(market: Market, sessions: int, window: int) -> Floats:
    return past_return(market, sessions) - beta(market, window) * index_return(market, sessions)[:, None]


def _sector_return(market: Market) -> Floats:
    return sector(market, lambda market: market.return_TS)


def _sector_beta(market: Market, window: int) -> Floats:
    return rolling.beta(_sector_return(market), market.return_TS, window)


def _coskew(market: Market, window: int) -> Floats:
    unpaired_TS = np.isnan(market.return_TS + market.index_return_TS)
    r_TS = np.where(unpaired_TS, np.nan, market.return_TS)
    m_TS = np.where(unpaired_TS, np.nan, market.index_return_TS)
    mean = partial(rolling.mean, window=window)
    r_mean_TS, m_mean_TS = mean(r_TS), mean(m_TS)
    # E[(r − r̄)(m − m̄)²], multiplied out.
    moment_TS = mean(r_TS * m_TS**2) - 2.0 * m_mean_TS * mean(r_TS * m_TS)
    moment_TS += 2.0 * r_mean_TS * m_mean_TS**2 - r_mean_TS * mean(m_TS**2)
    return divide(moment_TS, rolling.std(r_TS, window) * rolling.var(m_TS, window))


FEATURES = (
    *(
        _stock(f"beta_{n}", n + 1, f"least-squares slope of r on m over {n} sessions", partial(beta, window=n))
        for n in (60, 250)
    ),
    _stock("beta_change_60_250", 251, "beta_60 − beta_250", partial(_beta_change, short=60, long=250)),
    _stock(
        "semibeta_falling_120",
        121,
        "mean_120(min(r, 0) min(m, 0)) / mean_120(m²) (Bollerslev, Patton and Quaedvlieg, 2022)",
        partial(_falling_beta, window=120),
    ),
    _stock("index_corr_60", 61, "corr_60(r, m)", partial(_index_correlation, window=60)),
    _stock(
        "idio_vol_60",
        61,
        "residual deviation of r on m over 60 sessions (Ang, Hodrick, Xing and Zhang, 2006)",
        partial(_idiosyncratic, window=60),
    ),
    _stock(
        "coskew_60",
        61,
        "mean_60((r − mean r)(m − mean m)²) / (std_60(r) var_60(m)) (after Harvey and Siddique, 2000)",
        partial(_coskew, window=60),
    ),
    *(
        _stock(
            f"residual_ret_{n}",
            61,
            f"log(C_t / C_t−{n}) − beta_60 times the index's (Blitz, Huij and Martens, 2011)",
            partial(_residual_return, sessions=n, window=60),
        )
        for n in (1, 5, 20, 60)
    ),
    *(
        _stock(
            f"ret_less_sector_{n}",
            n + 1,
            f"log(C_t / C_t−{n}) less its mean over the sector",
            partial(less_sector, of=partial(past_return, sessions=n)),
        )
        for n in (1, 5, 20, 60)
    ),
    *(
        _stock(
            f"sector_ret_{n}",
            n + 1,
            f"mean over the sector of log(C_t / C_t−{n}) (Moskowitz and Grinblatt, 1999)",
            partial(sector, of=partial(past_return, sessions=n)),
        )
        for n in (1, 5, 20)
    ),
    _stock("overnight_less_sector_1", 2, "g less its mean over the sector", partial(less_sector, of=overnight)),
    _stock("intraday_less_sector_1", 1, "d less its mean over the sector", partial(less_sector, of=intraday)),
    _stock("sector_overnight_1", 2, "mean of g over the sector", partial(sector, of=overnight)),
    _stock(
        "sector_beta_60",
        61,
        "least-squares slope of r on the sector's mean r over 60 sessions",
        partial(_sector_beta, window=60),
    ),
    _stock(
        "volume_less_sector_20",
        20,
        "log V − mean_20(log V) less its mean over the sector",
        partial(less_sector, of=partial(volume_deviation, window=20)),
    ),
)
