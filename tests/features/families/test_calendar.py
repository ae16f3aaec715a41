from __future__ import annotations

import math
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from gogooku3.features.market import Market
from gogooku3.features.registry import select

BY_NAME = {feature.name: feature for feature in select("full")}


def _on(market: Market, name: str, day: date) -> float:
    row = int(np.flatnonzero(market.sessions == np.datetime64(day))[0])
    return float(BY_NAME[name].values(market)[row])


@pytest.mark.parametrize(
    ("name", "day", "wanted"),
    [
        ("weekday_sin", date(2021, 6, 7), 0.0),  # a Monday
        ("weekday_cos", date(2021, 6, 7), 1.0),
        ("weekday_sin", date(2021, 6, 11), math.sin(2 * math.pi * 4 / 5)),  # a Friday
        ("month_sin", date(2021, 4, 15), 1.0),
        ("month_cos", date(2021, 7, 15), -1.0),
        ("month_position", date(2021, 6, 1), 0.0),
        ("month_position", date(2021, 6, 30), 1.0),
        ("month_position", date(2021, 6, 15), 14 / 29),
        ("turn_of_month", date(2021, 6, 3), 1.0),
        ("turn_of_month", date(2021, 6, 4), 0.0),
        ("turn_of_month", date(2021, 6, 28), 1.0),
        ("turn_of_month", date(2022, 2, 25), 0.0),
        ("days_since_session", date(2021, 6, 7), 3.0),
        ("days_since_session", date(2021, 6, 8), 1.0),
    ],
)
def test_a_date_has_its_value(market: Market, name: str, day: date, wanted: float) -> None:
    assert _on(market, name, day) == pytest.approx(wanted, abs=1e-12)


def test_days_count_a_holiday_between_sessions(market: Market) -> None:
    sessions = market.sessions[:3] + np.array([0, 3, 9], "timedelta64[D]")
    found = BY_NAME["days_since_session"].values(replace(market.rows(0, 3), sessions=sessions))
    np.testing.assert_array_equal(found, [np.nan, 4.0, 7.0])
