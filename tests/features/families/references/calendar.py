"""Of the session's date alone; `test_calendar` has dates and their values by hand."""

from __future__ import annotations

import calendar
import math
from datetime import date, timedelta
from typing import Any


def _month_place(day: date) -> tuple[int, int]:
    """Day of the month from 1, and the days that the month has."""
    return day.day, calendar.monthrange(day.year, day.month)[1]


def _quarter_position(day: date) -> float:
    first = date(day.year, 3 * ((day.month - 1) // 3) + 1, 1)
    following = date(day.year + first.month // 10, (first.month + 2) % 12 + 1, 1)
    return (day - first) / (following - first - timedelta(days=1))


def _month_position(day: date) -> float:
    place, length = _month_place(day)
    return (place - 1) / (length - 1)


def _turn(day: date) -> float:
    place, length = _month_place(day)
    return float(place <= 3 or place > length - 3)


def _since(t: Any) -> float:
    return float((t.days[-1] - t.days[-2]).days)


SESSION = {
    "weekday_sin": lambda t: math.sin(2 * math.pi * t.days[-1].weekday() / 5),
    "weekday_cos": lambda t: math.cos(2 * math.pi * t.days[-1].weekday() / 5),
    "month_sin": lambda t: math.sin(2 * math.pi * (t.days[-1].month - 1) / 12),
    "month_cos": lambda t: math.cos(2 * math.pi * (t.days[-1].month - 1) / 12),
    "month_position": lambda t: _month_position(t.days[-1]),
    "quarter_position": lambda t: _quarter_position(t.days[-1]),
    "turn_of_month": lambda t: _turn(t.days[-1]),
    "days_since_session": _since,
}
