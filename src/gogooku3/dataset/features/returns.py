"""Returns: over horizons, by part of the day, and the latest ones one by one."""

from __future__ import annotations

from functools import partial

from gogooku3.dataset import rolling
from gogooku3.dataset.elementwise import Floats, divide, log
from gogooku3.dataset.feature import Feature
from gogooku3.dataset.market import Market

_stock = partial(Feature, "returns", "stock")


def past_return(market: Market, sessions: int, skip: int = 0) -> Floats:
    """Log return from the close `sessions` sessions ago to the close `skip` sessions ago."""
    return log(divide(rolling.shift(market.close_TS, skip), rolling.shift(market.close_TS, sessions)))


def overnight(market: Market) -> Floats:
    """Log return from the last close to the open."""
    return market.overnight_TS


def intraday(market: Market) -> Floats:
    """Log return from the open to the close."""
    return market.intraday_TS


def _overnight_mean(market: Market, window: int) -> Floats:
    return rolling.mean(market.overnight_TS, window)


def _intraday_mean(market: Market, window: int) -> Floats:
    return rolling.mean(market.intraday_TS, window)


def _overnight_less_intraday(market: Market, window: int) -> Floats:
    return rolling.mean(market.overnight_TS - market.intraday_TS, window)


def _lagged(market: Market, lag: int) -> Floats:
    return rolling.shift(market.return_TS, lag)


def _decayed(market: Market, window: int) -> Floats:
    return rolling.decayed_mean(market.return_TS, window)


FEATURES = (
    *(
        _stock(f"ret_{n}", n + 1, f"log(C_t / C_t−{n})", partial(past_return, sessions=n))
        for n in (1, 2, 3, 5, 10, 20, 60, 120, 250)
    ),
    _stock("ret_overnight_1", 2, "g = log(O_t / C_t−1)", overnight),
    _stock("ret_intraday_1", 1, "d = log(C_t / O_t)", intraday),
    *(_stock(f"ret_overnight_{n}", n + 1, f"mean_{n}(g)", partial(_overnight_mean, window=n)) for n in (5, 20)),
    *(_stock(f"ret_intraday_{n}", n, f"mean_{n}(d)", partial(_intraday_mean, window=n)) for n in (5, 20)),
    _stock(
        "ret_overnight_less_intraday_20",
        21,
        "mean_20(g − d): tug of war (Lou, Polk and Skouras, 2019)",
        partial(_overnight_less_intraday, window=20),
    ),
    *(_stock(f"ret_1_lag_{k}", k + 2, f"r_t−{k}", partial(_lagged, lag=k)) for k in (1, 2)),
    _stock("ret_decayed_10", 11, "mean_10(r), weights 1 … 10 rising to t", partial(_decayed, window=10)),
)
