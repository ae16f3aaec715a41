"""What is the same for all stocks of a session: its date, and the state of the market."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from gogooku3.dataset import cross_section, rolling
from gogooku3.dataset.elementwise import Floats, log, share
from gogooku3.dataset.feature import Feature
from gogooku3.dataset.features.liquidity import volume_deviation
from gogooku3.dataset.features.relative import index_return
from gogooku3.dataset.market import Market

_session = partial(Feature, "calendar", "session")

_TURN_DAYS = 3
"""Calendar days on each side of a month's end that count as its turn."""


def _weekday(market: Market) -> Floats:
    """0 (Monday) … 6; 1970-01-01 was a Thursday."""
    return ((market.sessions.astype(np.int64) + 3) % 7).astype(np.float64)


def _month(market: Market) -> Floats:
    """0 (January) … 11."""
    return (market.sessions.astype("datetime64[M]").astype(np.int64) % 12).astype(np.float64)


def _month_place(market: Market) -> tuple[Floats, Floats]:
    """Calendar days since the month's first, and until its last."""
    month = market.sessions.astype("datetime64[M]")
    first, following = month.astype("datetime64[D]"), (month + 1).astype("datetime64[D]")
    since, until = market.sessions - first, following - market.sessions
    return since.astype(np.float64), until.astype(np.float64) - 1.0


def _month_position(market: Market) -> Floats:
    since_T, until_T = _month_place(market)
    return since_T / (since_T + until_T)


def _turn_of_month(market: Market) -> Floats:
    since_T, until_T = _month_place(market)
    return (np.minimum(since_T, until_T) < _TURN_DAYS).astype(np.float64)


def _gap(market: Market) -> Floats:
    days_T = np.full(len(market.sessions), np.nan)
    days_T[1:] = np.diff(market.sessions).astype(np.float64)
    return days_T


def _on_circle(market: Market, angle: Callable[[Market], Floats], period: float, wave: np.ufunc) -> Floats:
    waved: Floats = wave(2.0 * math.pi * angle(market) / period)
    return waved


def _index_vol(market: Market, window: int) -> Floats:
    return rolling.std(market.index_return_T, window)


def _index_high_distance(market: Market, window: int) -> Floats:
    return log(market.index_T) - log(rolling.highest(market.index_T, window))


def _breadth(market: Market) -> Floats:
    return cross_section.mean(share(market.return_TS > 0, ~np.isnan(market.return_TS)))


def _dispersion(market: Market) -> Floats:
    return cross_section.std(market.return_TS)


def _volume(market: Market, window: int) -> Floats:
    return cross_section.mean(volume_deviation(market, window))


FEATURES = (
    *(
        _session(
            f"weekday_{wave.__name__}",
            1,
            f"{wave.__name__}(2π weekday / 5), Monday 0",
            partial(_on_circle, angle=_weekday, period=5.0, wave=wave),
        )
        for wave in (np.sin, np.cos)
    ),
    *(
        _session(
            f"month_{wave.__name__}",
            1,
            f"{wave.__name__}(2π month / 12), January 0",
            partial(_on_circle, angle=_month, period=12.0, wave=wave),
        )
        for wave in (np.sin, np.cos)
    ),
    _session(
        "month_position", 1, "calendar days since the month's first / from its first to its last", _month_position
    ),
    _session(
        "turn_of_month",
        1,
        "1 on a month's first three and last three calendar days (Ariel, 1987), else 0",
        _turn_of_month,
    ),
    _session("days_since_session", 2, "calendar days since the last session", _gap),
    *(
        _session(
            f"index_ret_{n}", n + 1, f"log return of the index over {n} sessions", partial(index_return, sessions=n)
        )
        for n in (1, 5, 20)
    ),
    *(_session(f"index_vol_{n}", n + 1, f"std_{n}(m)", partial(_index_vol, window=n)) for n in (20, 60)),
    _session(
        "index_high_distance_250", 250, "log(index_t / max_250(index))", partial(_index_high_distance, window=250)
    ),
    _session("breadth_1", 2, "share of stocks with r > 0", _breadth),
    _session("dispersion_1", 2, "standard deviation of r across stocks", _dispersion),
    _session("market_volume_20", 20, "mean across stocks of log V − mean_20(log V)", partial(_volume, window=20)),
)
