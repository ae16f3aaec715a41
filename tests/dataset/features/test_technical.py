from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from statistics import mean, median, stdev
from typing import Any

import numpy as np
import pytest


def _rsi(s: Any, n: int) -> float:
    changes = [b - a for a, b in pairwise(s.C[-n - 1 :])]
    return sum(max(x, 0) for x in changes) / sum(abs(x) for x in changes)


def _stochastic(s: Any, n: int, end: int = 0) -> float:
    stop = len(s.C) - end
    high, low = max(s.H[stop - n : stop]), min(s.L[stop - n : stop])
    return (s.C[stop - 1] - low) / (high - low)


def _typical(s: Any) -> list[float]:
    return [(h + w + c) / 3 for h, w, c in zip(s.H, s.L, s.C, strict=True)]


def _cci(s: Any) -> float:
    p = _typical(s)[-20:]
    return (p[-1] - mean(p)) / (0.015 * mean(abs(x - mean(p)) for x in p))


def _macd(s: Any, end: int = 0) -> float:
    closes = s.C[: len(s.C) - end]
    return (mean(closes[-12:]) - mean(closes[-26:])) / closes[-1]


def _direction(s: Any, end: int = 0) -> float:
    stop = len(s.C) - end
    up = down = 0.0
    for i in range(stop - 14, stop):
        rise, fall = s.H[i] - s.H[i - 1], s.L[i - 1] - s.L[i]
        up += rise if rise > fall and rise > 0 else 0
        down += fall if fall > rise and fall > 0 else 0
    return (up - down) / (up + down)


def _money_flow(s: Any) -> float:
    p = _typical(s)
    moves = [(p[i] - p[i - 1], p[i] * s.V[i]) for i in range(len(p) - 14, len(p))]
    return sum(flow for change, flow in moves if change > 0) / sum(flow for change, flow in moves if change != 0)


def _signed_volume(s: Any) -> float:
    return sum(math.copysign(v, r) for r, v in zip(s.r[-20:], s.V[-20:], strict=True)) / sum(s.V[-20:])


def _keltner(s: Any) -> float:
    ranges = [max(s.H[-i], s.C[-i - 1]) - min(s.L[-i], s.C[-i - 1]) for i in range(1, 21)]
    return (s.C[-1] - mean(s.C[-20:])) / mean(ranges)


FORMULAS = {
    "rsi_5": lambda s: _rsi(s, 5),
    "rsi_14": lambda s: _rsi(s, 14),
    "stochastic_14": lambda s: _stochastic(s, 14),
    "stochastic_mean_14_3": lambda s: mean(_stochastic(s, 14, end) for end in range(3)),
    "williams_r_28": lambda s: (s.C[-1] - max(s.H[-28:])) / (max(s.H[-28:]) - min(s.L[-28:])),
    "cci_20": _cci,
    "bollinger_z_20": lambda s: (s.C[-1] - mean(s.C[-20:])) / stdev(s.C[-20:]),
    "macd_12_26": _macd,
    "macd_histogram_12_26_9": lambda s: _macd(s) - mean(_macd(s, end) for end in range(9)),
    "aroon_up_25": lambda s: int(np.argmax(s.H[-25:])) / 24,
    "aroon_down_25": lambda s: int(np.argmin(s.L[-25:])) / 24,
    "direction_14": _direction,
    "adx_14": lambda s: mean(abs(_direction(s, end)) for end in range(14)),
    "money_flow_14": _money_flow,
    "signed_volume_20": _signed_volume,
    "price_to_mean_250": lambda s: math.log(s.C[-1] / mean(s.C[-250:])),
    "price_to_median_20": lambda s: math.log(s.C[-1]) - median(math.log(c) for c in s.C[-20:]),
    "keltner_20": _keltner,
    "body_1": lambda s: (s.C[-1] - s.O[-1]) / (s.H[-1] - s.L[-1]),
    "close_place_1": lambda s: (s.C[-1] - s.L[-1]) / (s.H[-1] - s.L[-1]),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_an_indicator_equals_its_formula(name: str, agrees: Callable[..., None]) -> None:
    agrees(name, FORMULAS[name])
