"""A stock relative to the market index: beta, correlation, idiosyncratic volatility, residual returns.

There is no return minus the index's return: the cross-sectional normalisation removes what is the same for all stocks
of a session, so only the return itself would remain.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from gogooku3.dataset.elementwise import Floats, divide, log
from gogooku3.features import rolling
from gogooku3.features.families.declare import Family
from gogooku3.features.families.returns import past_return
from gogooku3.features.market import Market, quantity

_family = Family("relative")


@quantity
def index_return(market: Market, window: int) -> Floats:
    """[T] log return of the index over `window` sessions."""
    level_T = log(market.index_T)
    return level_T - rolling.shift(level_T, window)


@quantity
def beta(market: Market, window: int) -> Floats:
    """Least-squares slope of the stock's log returns on the index's."""
    return rolling.beta(market.index_return_TS, market.return_TS, window)


def _beta_change(market: Market, short: int, window: int) -> Floats:
    return beta(market, short) - beta(market, window)


def _semibeta(market: Market, window: int, sign: float) -> Floats:
    both_TS = np.maximum(sign * market.return_TS, 0.0) * np.maximum(sign * market.index_return_TS, 0.0)
    square_TS = np.where(np.isnan(both_TS), np.nan, market.index_return_TS**2)
    return divide(rolling.mean(both_TS, window), rolling.mean(square_TS, window))


@quantity
def index_correlation(market: Market, window: int) -> Floats:
    """Correlation of the stock's log returns with the index's."""
    return rolling.corr(market.index_return_TS, market.return_TS, window)


def _delayed_correlation(market: Market, window: int) -> Floats:
    return rolling.corr(rolling.shift(market.index_return_TS, 1), market.return_TS, window)


@quantity
def idiosyncratic(market: Market, window: int) -> Floats:
    """Idiosyncratic volatility: standard deviation of the residuals of the stock's log returns on the index's."""
    return rolling.residual_std(market.index_return_TS, market.return_TS, window)


def _idiosyncratic_share(market: Market, window: int) -> Floats:
    return log(divide(idiosyncratic(market, window), rolling.std(market.return_TS, window)))


@quantity
def residual_return(market: Market, sessions: int, window: int) -> Floats:
    """Log return over some sessions minus beta times the index's."""
    return past_return(market, sessions) - beta(market, window) * index_return(market, sessions)[:, None]


def _night_beta(market: Market, window: int) -> Floats:
    return rolling.beta(market.index_return_TS, market.overnight_TS, window)


def _range_beta(market: Market, window: int) -> Floats:
    return rolling.corr(np.abs(market.index_return_TS), market.log_high_TS - market.log_low_TS, window)


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


def _market_adjusted_skew(market: Market, window: int) -> Floats:
    return rolling.skew(market.return_TS - market.index_return_TS, window)


def _up_capture(market: Market, window: int) -> Floats:
    risen_TS = np.where(market.index_return_TS > 0, market.return_TS, 0.0 * market.return_TS)
    paired_TS = np.where(np.isnan(market.return_TS + market.index_return_TS), np.nan, risen_TS)
    return rolling.mean(paired_TS, window)


FEATURES = (
    *_family.each((20, 60, 120, 250), "beta_{n}", "least-squares slope of r on m over {n} sessions", beta, before=1),
    *(
        _family.one(
            f"beta_change_{short}_{long}",
            long + 1,
            f"beta_{short} − beta_{long}",
            partial(_beta_change, short=short, window=long),
        )
        for short, long in ((20, 120), (60, 250))
    ),
    *_family.each((60,), "beta_night_{n}", "least-squares slope of g on m over {n} sessions", _night_beta, before=1),
    *_family.each(
        (120,),
        "semibeta_falling_{n}",
        "mean_{n}(min(r, 0) min(m, 0)) / mean_{n}(m²) (Bollerslev, Patton and Quaedvlieg, 2022)",
        partial(_semibeta, sign=-1.0),
        before=1,
    ),
    *_family.each(
        (120,),
        "semibeta_rising_{n}",
        "mean_{n}(max(r, 0) max(m, 0)) / mean_{n}(m²) (Bollerslev, Patton and Quaedvlieg, 2022)",
        partial(_semibeta, sign=1.0),
        before=1,
    ),
    *_family.each((20, 60, 120), "index_corr_{n}", "corr_{n}(r, m)", index_correlation, before=1),
    *_family.each(
        (60, 120),
        "index_corr_delayed_{n}",
        "corr_{n}(r_t, m_t−1): price delay (after Hou and Moskowitz, 2005)",
        _delayed_correlation,
        before=2,
    ),
    *_family.each((60,), "range_index_corr_{n}", "corr_{n}(log(H / L), |m|)", _range_beta, before=1),
    *_family.each(
        (20, 60),
        "idio_vol_{n}",
        "√(Σ e² / (n − 2)), e what the least-squares line of r on m leaves over {n} sessions "
        "(after Ang, Hodrick, Xing and Zhang, 2006)",
        idiosyncratic,
        before=1,
    ),
    # Over a window that index_corr has, it would be a function of that correlation alone.
    *_family.each((250,), "idio_share_{n}", "log(idio_vol_{n} / std_{n}(r))", _idiosyncratic_share, before=1),
    *_family.each(
        (60,),
        "idio_skew_{n}",
        "skewness of r − m over {n} sessions (after Boyer, Mitton and Vorkink, 2010)",
        _market_adjusted_skew,
        before=1,
    ),
    *_family.each(
        (60, 120),
        "coskew_{n}",
        "mean_{n}((r − mean_{n}(r)) (m − mean_{n}(m))²) / (std_{n}(r) var_{n}(m)) (after Harvey and Siddique, 2000)",
        _coskew,
        before=1,
    ),
    *_family.each((60,), "up_capture_{n}", "mean_{n}(r where m > 0, else 0)", _up_capture, before=1),
    *(
        _family.one(
            f"residual_ret_{k}",
            max(n, k) + 1,
            f"log(C_t / C_t−{k}) − beta_{n} index_ret_{k} (after Blitz, Huij and Martens, 2011)",
            partial(residual_return, sessions=k, window=n),
        )
        for k, n in ((1, 60), (5, 60), (20, 60), (60, 60), (120, 250))
    ),
)
