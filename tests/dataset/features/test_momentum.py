from __future__ import annotations

import math
from collections.abc import Callable
from statistics import linear_regression, mean, stdev
from typing import Any

import numpy as np
import pytest


def _log(values: list[float]) -> list[float]:
    return [math.log(value) for value in values]


def _deepest(s: Any, n: int) -> float:
    closes = s.C[-n:]
    return min(math.log(later / earlier) for i, earlier in enumerate(closes) for later in closes[i:])


def _sign(x: float) -> int:
    return (x > 0) - (x < 0)


FORMULAS = {
    "mom_250_skip_20": lambda s: math.log(s.C[-21] / s.C[-251]),
    "mom_60_skip_5": lambda s: math.log(s.C[-6] / s.C[-61]),
    "high_distance_250": lambda s: math.log(s.C[-1] / max(s.H[-250:])),
    "low_distance_250": lambda s: math.log(s.C[-1] / min(s.L[-250:])),
    "max_drawdown_20": lambda s: _deepest(s, 20),
    "trend_slope_60": lambda s: linear_regression(range(60), _log(s.C[-60:])).slope,
    "trend_r2_20": lambda s: float(np.corrcoef(np.arange(20), _log(s.C[-20:]))[0, 1]) ** 2,
    "mom_sharpe_20": lambda s: mean(s.r[-20:]) / stdev(s.r[-20:]),
    "since_high_60": lambda s: 59 - int(np.argmax(s.H[-60:])),
    "since_low_60": lambda s: 59 - int(np.argmin(s.L[-60:])),
    "efficiency_120": lambda s: math.log(s.C[-1] / s.C[-121]) / sum(abs(r) for r in s.r[-120:]),
    "mom_acceleration_20": lambda s: math.log(s.C[-1] / s.C[-21]) - math.log(s.C[-21] / s.C[-41]),
    "information_discreteness_60": lambda s: -_sign(s.C[-1] - s.C[-61]) * mean(_sign(r) for r in s.r[-60:]),
    "price_place_20": lambda s: sum(c < s.C[-1] for c in s.C[-20:-1]) / 19,
    "ret_1_scaled_20": lambda s: s.r[-1] / stdev(s.r[-20:]),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_momentum_equals_its_formula(name: str, agrees: Callable[..., None]) -> None:
    agrees(name, FORMULAS[name])
