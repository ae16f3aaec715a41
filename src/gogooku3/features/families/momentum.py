"""Momentum: trend, its smoothness, drawdown, and the distance from past highs and lows."""

from __future__ import annotations

from functools import partial

import numpy as np

from gogooku3.dataset.elementwise import Floats, divide
from gogooku3.features import rolling
from gogooku3.features.families.declare import Family
from gogooku3.features.families.returns import past_return
from gogooku3.features.families.volatility import close_to_close, mean_size
from gogooku3.features.market import Market, quantity

_family = Family("momentum")


@quantity
def highest_high(market: Market, window: int) -> Floats:
    """log of the highest high."""
    return rolling.highest(market.log_high_TS, window)


@quantity
def lowest_low(market: Market, window: int) -> Floats:
    """log of the lowest low."""
    return rolling.lowest(market.log_low_TS, window)


@quantity
def high_distance(market: Market, window: int) -> Floats:
    """log of the close over the highest high of the window."""
    return market.log_close_TS - highest_high(market, window)


def _low_distance(market: Market, window: int) -> Floats:
    return market.log_close_TS - lowest_low(market, window)


def _drawdown(market: Market, window: int) -> Floats:
    return rolling.max_drawdown(market.log_close_TS, window)


def _slope(market: Market, window: int) -> Floats:
    return rolling.slope(market.log_close_TS, window)


def _r2(market: Market, window: int) -> Floats:
    return rolling.r2(market.log_close_TS, window)


def _off_trend(market: Market, window: int) -> Floats:
    return rolling.off_line(market.log_close_TS, window)


@quantity
def return_mean(market: Market, window: int) -> Floats:
    """Mean daily log return."""
    return rolling.mean(market.return_TS, window)


def _sharpe(market: Market, window: int) -> Floats:
    return divide(return_mean(market, window), close_to_close(market, window))


@quantity
def since_high(market: Market, window: int) -> Floats:
    """Sessions since the highest high."""
    return rolling.since_highest(market.high_TS, window)


@quantity
def since_low(market: Market, window: int) -> Floats:
    """Sessions since the lowest low."""
    return rolling.since_lowest(market.low_TS, window)


def _low_before_high(market: Market, window: int) -> Floats:
    return since_low(market, window) - since_high(market, window)


def _efficiency(market: Market, window: int) -> Floats:
    return divide(return_mean(market, window), mean_size(market, window))


def _acceleration(market: Market, window: int) -> Floats:
    past_TS = past_return(market, window)
    return past_TS - rolling.shift(past_TS, window)


def _discreteness(market: Market, window: int) -> Floats:
    balance_TS = rolling.mean(np.sign(market.return_TS), window)
    return -np.sign(past_return(market, window)) * balance_TS


def _place(market: Market, window: int) -> Floats:
    return rolling.rank_of_last(market.close_TS, window)


def _scaled(market: Market, window: int) -> Floats:
    return divide(market.return_TS, close_to_close(market, window))


FEATURES = (
    *(
        _family.one(
            f"mom_{n}_skip_{skip}",
            n + 1,
            f"log(C_t−{skip} / C_t−{n}) ({source})",
            partial(past_return, window=n, skip=skip),
        )
        for n, skip, source in (
            (10, 5, "after Jegadeesh and Titman, 1993"),
            (60, 5, "Jegadeesh and Titman, 1993"),
            (120, 20, "after Jegadeesh and Titman, 1993"),
            (250, 20, "after Jegadeesh and Titman, 1993"),
            (250, 120, "after Novy-Marx, 2012"),
        )
    ),
    *_family.each((20, 60, 120), "high_distance_{n}", "log(C_t / max_{n}(H))", high_distance),
    *_family.each((250,), "high_distance_{n}", "log(C_t / max_{n}(H)) (George and Hwang, 2004)", high_distance),
    *_family.each((20, 60, 120, 250), "low_distance_{n}", "log(C_t / min_{n}(L))", _low_distance),
    *_family.each(
        (20, 60, 250), "max_drawdown_{n}", "min of log(C_u / C_s) over s ≤ u among the last {n} sessions", _drawdown
    ),
    *_family.each((10, 20, 60), "trend_slope_{n}", "least-squares slope of log C on time over {n} sessions", _slope),
    *_family.each((10, 20, 60), "trend_r2_{n}", "R² of log C on time over {n} sessions", _r2),
    *_family.each(
        (5, 10, 20, 60),
        "trend_residual_{n}",
        "log C_t less its least-squares line on time over {n} sessions (after Yang et al., 2020, Alpha158 RESI)",
        _off_trend,
    ),
    *_family.each((20, 60, 250), "mom_sharpe_{n}", "mean_{n}(r) / std_{n}(r)", _sharpe, before=1),
    *_family.each(
        (20, 60, 250),
        "since_high_{n}",
        "sessions since max_{n}(H), the last of equals (after Chande, 1995)",
        since_high,
    ),
    *_family.each(
        (20, 60, 250), "since_low_{n}", "sessions since min_{n}(L), the last of equals (after Chande, 1995)", since_low
    ),
    *_family.each(
        (20, 60),
        "low_before_high_{n}",
        "sessions from min_{n}(L) to max_{n}(H) (after Yang et al., 2020, Alpha158 IMXD)",
        _low_before_high,
    ),
    *_family.each(
        (10, 120),
        "efficiency_{n}",
        "mean_{n}(r) / mean_{n}(|r|): efficiency ratio with its sign (after Kaufman, 1995)",
        _efficiency,
        before=1,
    ),
    *(
        _family.one(
            f"mom_acceleration_{n}",
            2 * n + 1,
            f"log(C_t / C_t−{n}) − log(C_t−{n} / C_t−{2 * n})",
            partial(_acceleration, window=n),
        )
        for n in (5, 20)
    ),
    *_family.each(
        (20, 60),
        "information_discreteness_{n}",
        "−sign(log(C_t / C_t−{n})) mean_{n}(sign r) (Da, Gurun and Warachka, 2014)",
        _discreteness,
        before=1,
    ),
    *_family.each(
        (20, 60),
        "price_place_{n}",
        "share of the window's other closes below C_t, equals counting half, over {n} sessions",
        _place,
    ),
    *_family.each((20,), "ret_1_scaled_{n}", "r_t / std_{n}(r)", _scaled, before=1),
)
