"""Calendar features of a session's date: the same for all its stocks."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from gogooku3.dataset.elementwise import Floats
from gogooku3.features.families.declare import Family
from gogooku3.features.market import Market

_family = Family("calendar", "session")

_TURN_DAYS = 3
"""Calendar days on each side of a month's end that count as the turn of the month."""


def _weekday(market: Market) -> Floats:
    """0 (Monday) … 6; 1970-01-01 was a Thursday."""
    return ((market.sessions.astype(np.int64) + 3) % 7).astype(np.float64)


def _month(market: Market) -> Floats:
    """0 (January) … 11."""
    return (market.sessions.astype("datetime64[M]").astype(np.int64) % 12).astype(np.float64)


def _days_in_month(market: Market) -> tuple[Floats, Floats]:
    """Calendar days since the month's first day, and until its last."""
    month = market.sessions.astype("datetime64[M]")
    first, following = month.astype("datetime64[D]"), (month + 1).astype("datetime64[D]")
    since, until = market.sessions - first, following - market.sessions
    return since.astype(np.float64), until.astype(np.float64) - 1.0


def _month_position(market: Market) -> Floats:
    since_T, until_T = _days_in_month(market)
    return since_T / (since_T + until_T)


def _turn_of_month(market: Market) -> Floats:
    since_T, until_T = _days_in_month(market)
    return (np.minimum(since_T, until_T) < _TURN_DAYS).astype(np.float64)


def _gap(market: Market) -> Floats:
    days_T = np.full(len(market.sessions), np.nan)
    days_T[1:] = np.diff(market.sessions).astype(np.float64)
    return days_T


def _on_circle(market: Market, angle: Callable[[Market], Floats], period: float, wave: np.ufunc) -> Floats:
    waved: Floats = wave(2.0 * math.pi * angle(market) / period)
    return waved


def _quarter_position(market: Market) -> Floats:
    month = market.sessions.astype("datetime64[M]").astype(np.int64)
    first = (month - month % 3).astype("datetime64[M]")
    begin, following = first.astype("datetime64[D]"), (first + 3).astype("datetime64[D]")
    since_T, length_T = market.sessions - begin, following - begin
    position_T: Floats = since_T.astype(np.float64) / (length_T.astype(np.float64) - 1.0)
    return position_T


FEATURES = (
    *(
        _family.one(
            f"{of}_{wave.__name__}",
            1,
            f"{wave.__name__}(2π {text}",
            partial(_on_circle, angle=angle, period=period, wave=wave),
        )
        for of, text, angle, period in (
            ("weekday", "weekday / 5), Monday 0", _weekday, 5.0),
            ("month", "month / 12), January 0", _month, 12.0),
        )
        for wave in (np.sin, np.cos)
    ),
    _family.one(
        "month_position", 1, "calendar days since the month's first / from its first to its last", _month_position
    ),
    _family.one(
        "quarter_position", 1, "calendar days since the quarter's first / from its first to its last", _quarter_position
    ),
    _family.one(
        "turn_of_month",
        1,
        "1 on a month's first three and last three calendar days, else 0 (after Lakonishok and Smidt, 1988)",
        _turn_of_month,
    ),
    _family.one("days_since_session", 2, "calendar days since the last session", _gap),
)
