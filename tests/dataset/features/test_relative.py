from __future__ import annotations

import math
from collections.abc import Callable
from statistics import linear_regression, mean, stdev, variance
from typing import Any

import numpy as np
import pytest

from gogooku3.dataset.market import Market
from gogooku3.dataset.registry import select

BY_NAME = {feature.name: feature for feature in select("full395")}


def _beta(s: Any, n: int) -> float:
    return linear_regression(s.m[-n:], s.r[-n:]).slope


def _index_return(s: Any, n: int) -> float:
    return math.log(s.I[-1] / s.I[-1 - n])


def _residual_deviation(s: Any) -> float:
    slope, level = linear_regression(s.m[-60:], s.r[-60:])
    left = [r - slope * m - level for r, m in zip(s.r[-60:], s.m[-60:], strict=True)]
    return math.sqrt(sum(e * e for e in left) / 58)


def _coskew(s: Any) -> float:
    r, m = s.r[-60:], s.m[-60:]
    moment = mean((a - mean(r)) * (b - mean(m)) ** 2 for a, b in zip(r, m, strict=True))
    return moment / (stdev(r) * variance(m))


def _falling(s: Any) -> float:
    pairs = list(zip(s.r[-120:], s.m[-120:], strict=True))
    return mean(min(r, 0) * min(m, 0) for r, m in pairs) / mean(m * m for _, m in pairs)


FORMULAS = {
    "beta_60": lambda s: _beta(s, 60),
    "beta_250": lambda s: _beta(s, 250),
    "beta_change_60_250": lambda s: _beta(s, 60) - _beta(s, 250),
    "semibeta_falling_120": _falling,
    "index_corr_60": lambda s: float(np.corrcoef(s.r[-60:], s.m[-60:])[0, 1]),
    "idio_vol_60": _residual_deviation,
    "coskew_60": _coskew,
    "residual_ret_20": lambda s: math.log(s.C[-1] / s.C[-21]) - _beta(s, 60) * _index_return(s, 20),
    "residual_ret_5": lambda s: math.log(s.C[-1] / s.C[-6]) - _beta(s, 60) * _index_return(s, 5),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_relation_to_the_index_equals_its_formula(name: str, agrees: Callable[..., None]) -> None:
    agrees(name, FORMULAS[name])


def _members(market: Market, column: int) -> list[int]:
    return [other for other in range(len(market.codes)) if other % 3 == column % 3]


@pytest.mark.parametrize("column", [0, 4, 11])
def test_sector_features_compare_a_stock_with_the_stocks_of_its_sector(market: Market, column: int) -> None:
    t, peers = 320, _members(market, column)
    ret_5 = np.log(market.close_TS[t] / market.close_TS[t - 5])
    gap = np.log(market.open_TS[t] / market.close_TS[t - 1])
    day = np.log(market.close_TS[t] / market.open_TS[t])
    wanted = {
        "sector_ret_5": ret_5[peers].mean(),
        "ret_5_less_sector": ret_5[column] - ret_5[peers].mean(),
        "sector_overnight_1": gap[peers].mean(),
        "overnight_less_sector_1": gap[column] - gap[peers].mean(),
        "intraday_less_sector_1": day[column] - day[peers].mean(),
    }
    for name, value in wanted.items():
        assert BY_NAME[name].values(market)[t, column] == pytest.approx(value, abs=1e-12), name


def test_the_sector_beta_is_the_slope_on_the_sectors_mean_return(market: Market) -> None:
    t, column = 320, 4
    returns = np.diff(np.log(market.close_TS), axis=0)[t - 60 : t]
    sector = returns[:, _members(market, column)].mean(axis=1)
    wanted = np.polyfit(sector, returns[:, column], 1)[0]
    assert BY_NAME["sector_beta_60"].values(market)[t, column] == pytest.approx(wanted)


def test_volume_beside_the_sector_is_the_difference_of_deviations(market: Market) -> None:
    t, column = 320, 4
    log_volume = np.log(market.volume_TS[t - 19 : t + 1])
    deviation = log_volume[-1] - log_volume.mean(axis=0)
    wanted = deviation[column] - deviation[_members(market, column)].mean()
    assert BY_NAME["volume_20_less_sector"].values(market)[t, column] == pytest.approx(wanted)
