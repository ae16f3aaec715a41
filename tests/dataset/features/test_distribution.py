from __future__ import annotations

import math
from collections.abc import Callable
from statistics import correlation, mean, stdev, variance
from typing import Any

import numpy as np
import pytest
from scipy import stats


def _jumps(s: Any) -> float:
    r = s.r
    return mean(abs(r[i]) > 2 * stdev(r[i - 60 : i]) for i in range(len(r) - 60, len(r)))


def _variance_ratio(s: Any) -> float:
    long = [math.log(s.C[i] / s.C[i - 5]) for i in range(len(s.C) - 60, len(s.C))]
    return math.log(variance(long) / (5 * variance(s.r[-60:])))


def _tails(s: Any) -> float:
    low, middle, high = np.quantile(s.r[-60:], [0.1, 0.5, 0.9])
    return float((high + low - 2 * middle) / (high - low))


def _size(values: list[float]) -> list[float]:
    return [abs(value) for value in values]


FORMULAS = {
    "skew_60": lambda s: stats.skew(s.r[-60:]),
    "kurt_20": lambda s: stats.kurtosis(s.r[-20:]),
    "max_return_20": lambda s: max(s.r[-20:]),
    "min_return_20": lambda s: min(s.r[-20:]),
    "quantile_10_60": lambda s: float(np.quantile(s.r[-60:], 0.1)),
    "quantile_90_60": lambda s: float(np.quantile(s.r[-60:], 0.9)),
    "tail_balance_60": _tails,
    "up_share_20": lambda s: mean(r > 0 for r in s.r[-20:]),
    "jump_share_60": _jumps,
    "surprise_60": lambda s: s.r[-1] / stdev(s.r[-61:-1]),
    "autocorr_1_60": lambda s: correlation(s.r[-60:], s.r[-61:-1]),
    "autocorr_5_60": lambda s: correlation(s.r[-60:], s.r[-65:-5]),
    "size_autocorr_1_60": lambda s: correlation(_size(s.r[-60:]), _size(s.r[-61:-1])),
    "night_day_corr_60": lambda s: correlation(s.g[-60:], s.d[-60:]),
    "variance_ratio_5_60": _variance_ratio,
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_statistic_equals_its_formula(name: str, agrees: Callable[..., None]) -> None:
    agrees(name, FORMULAS[name])
