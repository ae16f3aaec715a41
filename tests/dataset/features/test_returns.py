from __future__ import annotations

import math
from collections.abc import Callable
from statistics import mean

import pytest

FORMULAS = {
    **{f"ret_{n}": (lambda s, n=n: math.log(s.C[-1] / s.C[-1 - n])) for n in (1, 2, 3, 5, 10, 20, 60, 120, 250)},
    "ret_overnight_1": lambda s: math.log(s.O[-1] / s.C[-2]),
    "ret_intraday_1": lambda s: math.log(s.C[-1] / s.O[-1]),
    "ret_overnight_5": lambda s: mean(s.g[-5:]),
    "ret_intraday_20": lambda s: mean(s.d[-20:]),
    "ret_overnight_less_intraday_20": lambda s: mean(s.g[-20:]) - mean(s.d[-20:]),
    "ret_1_lag_2": lambda s: math.log(s.C[-3] / s.C[-4]),
    "ret_decayed_10": lambda s: sum(w * r for w, r in zip(range(1, 11), s.r[-10:], strict=True)) / 55,
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_return_equals_its_formula(name: str, agrees: Callable[..., None]) -> None:
    agrees(name, FORMULAS[name])
