from __future__ import annotations

import math
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from gogooku3.dataset.market import Market
from gogooku3.dataset.registry import select

BY_NAME = {feature.name: feature for feature in select("full395")}


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


def test_the_state_of_the_market_equals_its_formulas(market: Market) -> None:
    t = 300
    returns = np.log(market.close_TS[t] / market.close_TS[t - 1])
    index = market.index_T
    log_volume = np.log(market.volume_TS[t - 19 : t + 1])
    wanted = {
        "index_ret_5": math.log(index[t] / index[t - 5]),
        "index_vol_20": np.diff(np.log(index[t - 20 : t + 1])).std(ddof=1),
        "index_high_distance_250": math.log(index[t] / index[t - 249 : t + 1].max()),
        "breadth_1": (returns > 0).mean(),
        "dispersion_1": returns.std(),
        "market_volume_20": (log_volume[-1] - log_volume.mean(axis=0)).mean(),
    }
    for name, value in wanted.items():
        assert BY_NAME[name].values(market)[t] == pytest.approx(value, abs=1e-12), name


def test_a_thin_session_has_no_breadth(market: Market) -> None:
    close_TS = market.close_TS.copy()
    close_TS[300, 4:] = np.nan
    assert np.isnan(BY_NAME["breadth_1"].values(replace(market, close_TS=close_TS))[300])
