from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from statistics import mean, stdev, variance
from typing import Any

import pytest


def _parkinson(s: Any, n: int, end: int = 0) -> float:
    stop = len(s.H) - end
    squares = [math.log(h / low) ** 2 for h, low in zip(s.H[stop - n : stop], s.L[stop - n : stop], strict=True)]
    return math.sqrt(mean(squares) / (4 * math.log(2)))


def _garman_klass(s: Any, n: int) -> float:
    bars = list(zip(s.O, s.H, s.L, s.C, strict=True))[-n:]
    return math.sqrt(
        mean(0.5 * math.log(h / w) ** 2 - (2 * math.log(2) - 1) * math.log(c / o) ** 2 for o, h, w, c in bars)
    )


def _rogers_satchell(s: Any, n: int) -> float:
    bars = list(zip(s.O, s.H, s.L, s.C, strict=True))[-n:]
    return mean(math.log(h / c) * math.log(h / o) + math.log(w / c) * math.log(w / o) for o, h, w, c in bars)


def _yang_zhang(s: Any, n: int) -> float:
    k = 0.34 / (1.34 + (n + 1) / (n - 1))
    return math.sqrt(variance(s.g[-n:]) + k * variance(s.d[-n:]) + (1 - k) * _rogers_satchell(s, n))


def _true_range(s: Any, n: int) -> float:
    last, highs, lows = s.C[-n - 1 : -1], s.H[-n:], s.L[-n:]
    return mean(max(h, c) - min(w, c) for c, h, w in zip(last, highs, lows, strict=True))


def _bipower(s: Any) -> float:
    size = [abs(r) for r in s.r]
    products = [a * b for a, b in pairwise(size[-61:])]
    return 1 - math.pi / 2 * mean(products) / mean(r * r for r in s.r[-60:])


FORMULAS = {
    "vol_close_5": lambda s: stdev(s.r[-5:]),
    "vol_close_60": lambda s: stdev(s.r[-60:]),
    "vol_parkinson_20": lambda s: _parkinson(s, 20),
    "vol_garman_klass_20": lambda s: _garman_klass(s, 20),
    "vol_rogers_satchell_20": lambda s: math.sqrt(_rogers_satchell(s, 20)),
    "vol_yang_zhang_60": lambda s: _yang_zhang(s, 60),
    "vol_ratio_5_20": lambda s: math.log(stdev(s.r[-5:]) / stdev(s.r[-20:])),
    "vol_range_ratio_5_60": lambda s: math.log(_parkinson(s, 5) / _parkinson(s, 60)),
    "vol_range_to_close_20": lambda s: math.log(_parkinson(s, 20) / stdev(s.r[-20:])),
    "vol_overnight_share_20": lambda s: variance(s.g[-20:]) / (variance(s.g[-20:]) + variance(s.d[-20:])),
    "vol_down_20": lambda s: math.sqrt(mean(min(r, 0) ** 2 for r in s.r[-20:])),
    "vol_down_to_up_60": lambda s: (
        0.5 * math.log(mean(min(r, 0) ** 2 for r in s.r[-60:]) / mean(max(r, 0) ** 2 for r in s.r[-60:]))
    ),
    "vol_of_vol_60": lambda s: stdev(math.log(_parkinson(s, 5, end)) for end in range(60)),
    "vol_jump_60": _bipower,
    "atr_14": lambda s: _true_range(s, 14) / s.C[-1],
    "range_1": lambda s: math.log(s.H[-1] / s.L[-1]),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_volatility_equals_its_formula(name: str, agrees: Callable[..., None]) -> None:
    agrees(name, FORMULAS[name])
