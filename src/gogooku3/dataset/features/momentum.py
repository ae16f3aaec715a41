"""Momentum: trend, its steadiness, and the distance from past highs and lows."""

from __future__ import annotations

from functools import partial

import numpy as np

from gogooku3.dataset import rolling
from gogooku3.dataset.elementwise import Floats, divide, log
from gogooku3.dataset.feature import Feature
from gogooku3.dataset.features.returns import past_return
from gogooku3.dataset.features.volatility import close_to_close
from gogooku3.dataset.market import Market

_stock = partial(Feature, "momentum", "stock")


def high_distance(market: Market, window: int) -> Floats:
    """log of the close over the highest high of the window."""
    return log(divide(market.close_TS, rolling.highest(market.high_TS, window)))


def _low_distance(market: Market, window: int) -> Floats:
    return log(divide(market.close_TS, rolling.lowest(market.low_TS, window)))


def _drawdown(market: Market, window: int) -> Floats:
    return rolling.max_drawdown(market.log_close_TS, window)


def _slope(market: Market, window: int) -> Floats:
    return rolling.slope(market.log_close_TS, window)


def _r2(market: Market, window: int) -> Floats:
    return rolling.r2(market.log_close_TS, window)


def _sharpe(market: Market, window: int) -> Floats:
    return divide(rolling.mean(market.return_TS, window), close_to_close(market, window))


def _since_high(market: Market, window: int) -> Floats:
    return rolling.since_highest(market.high_TS, window) / window


def _since_low(market: Market, window: int) -> Floats:
    return rolling.since_lowest(market.low_TS, window) / window


def _efficiency(market: Market, window: int) -> Floats:
    return divide(rolling.mean(market.return_TS, window), rolling.mean(np.abs(market.return_TS), window))


def _acceleration(market: Market, window: int) -> Floats:
    past_TS = past_return(market, window)
    return past_TS - rolling.shift(past_TS, window)


def _discreteness(market: Market, window: int) -> Floats:
    balance_TS = rolling.mean(np.sign(market.return_TS), window)
    return -np.sign(past_return(market, window)) * balance_TS


def _place(market: Market, window: int) -> Floats:
    return rolling.rank_of_last(market.close_TS, window)


def _scaled(market: Market, sessions: int, window: int) -> Floats:
    return divide(past_return(market, sessions), close_to_close(market, window))


FEATURES = (
    *(
        _stock(
            f"mom_{n}_skip_{skip}",
            n + 1,
            f"log(C_t−{skip} / C_t−{n}) (Jegadeesh and Titman, 1993)",
            partial(past_return, sessions=n, skip=skip),
        )
        for n, skip in ((60, 5), (120, 20), (250, 20))
    ),
    *(
        _stock(
            f"high_distance_{n}",
            n,
            f"log(C_t / max_{n}(H))" + (" (George and Hwang, 2004)" if n == 250 else ""),
            partial(high_distance, window=n),
        )
        for n in (20, 60, 250)
    ),
    _stock("low_distance_250", 250, "log(C_t / min_250(L))", partial(_low_distance, window=250)),
    *(
        _stock(
            f"max_drawdown_{n}",
            n,
            f"min over s ≤ u of the last {n} sessions of log(C_u / C_s)",
            partial(_drawdown, window=n),
        )
        for n in (20, 60)
    ),
    *(
        _stock(
            f"trend_slope_{n}", n, f"least-squares slope of log C on time over {n} sessions", partial(_slope, window=n)
        )
        for n in (20, 60)
    ),
    *(_stock(f"trend_r2_{n}", n, f"R² of log C on time over {n} sessions", partial(_r2, window=n)) for n in (20, 60)),
    *(_stock(f"mom_sharpe_{n}", n + 1, f"mean_{n}(r) / std_{n}(r)", partial(_sharpe, window=n)) for n in (20, 60)),
    _stock("since_high_60", 60, "sessions since max_60(H), over 60 (Aroon's measure)", partial(_since_high, window=60)),
    _stock("since_low_60", 60, "sessions since min_60(L), over 60", partial(_since_low, window=60)),
    _stock(
        "efficiency_60",
        61,
        "mean_60(r) / mean_60(|r|): efficiency ratio with its sign (Kaufman, 1995)",
        partial(_efficiency, window=60),
    ),
    _stock("mom_acceleration_20", 41, "log(C_t / C_t−20) − log(C_t−20 / C_t−40)", partial(_acceleration, window=20)),
    _stock(
        "information_discreteness_60",
        61,
        "−sign(log(C_t / C_t−60)) mean_60(sign r) (Da, Gurun and Warachka, 2014)",
        partial(_discreteness, window=60),
    ),
    _stock("price_place_20", 20, "share of the closes of 20 sessions below C_t", partial(_place, window=20)),
    _stock(
        "ret_1_scaled",
        21,
        "log(C_t / C_t−1) / std_20(r)",
        partial(_scaled, sessions=1, window=20),
    ),
)
