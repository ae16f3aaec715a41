from __future__ import annotations

from typing import Any

from ..plain import (
    corr,
    drawdown,
    height_at_the_end,
    highest,
    log,
    lowest,
    mean,
    place_of_last,
    ratio,
    sign,
    since_highest,
    since_lowest,
    slope,
    std,
)


def logs(values: list[float]) -> list[float]:
    return [log(value) for value in values]


def _discreteness(s: Any, n: int) -> float:
    """Da, Gurun and Warachka: sgn(PRET) (%negative − %positive)."""
    known = [r for r in s.r[-n:] if r == r]
    balance = mean([sign(r) for r in s.r[-n:]])
    if balance == balance:
        balance = (sum(r > 0 for r in known) - sum(r < 0 for r in known)) / len(known)
    return sign(log(ratio(s.C[-1], s.C[-1 - n]))) * -balance


STOCK = {
    "mom_{n}_skip_{k}": lambda s, n, k: log(ratio(s.C[-1 - k], s.C[-1 - n])),
    "high_distance_{n}": lambda s, n: log(ratio(s.C[-1], highest(s.H[-n:]))),
    "low_distance_{n}": lambda s, n: log(ratio(s.C[-1], lowest(s.L[-n:]))),
    "max_drawdown_{n}": lambda s, n: drawdown(logs(s.C[-n:])),
    "trend_slope_{n}": lambda s, n: slope(logs(s.C[-n:])),
    "trend_r2_{n}": lambda s, n: corr(range(n), logs(s.C[-n:])) ** 2,
    "trend_residual_{n}": lambda s, n: log(s.C[-1]) - height_at_the_end(range(n), logs(s.C[-n:])),
    "mom_sharpe_{n}": lambda s, n: ratio(mean(s.r[-n:]), std(s.r[-n:])),
    "since_high_{n}": lambda s, n: since_highest(s.H[-n:]),
    "since_low_{n}": lambda s, n: since_lowest(s.L[-n:]),
    "low_before_high_{n}": lambda s, n: since_lowest(s.L[-n:]) - since_highest(s.H[-n:]),
    "efficiency_{n}": lambda s, n: ratio(mean(s.r[-n:]), mean([abs(r) for r in s.r[-n:]])),
    "mom_acceleration_{n}": lambda s, n: log(ratio(s.C[-1], s.C[-1 - n])) - log(ratio(s.C[-1 - n], s.C[-1 - 2 * n])),
    "information_discreteness_{n}": _discreteness,
    "price_place_{n}": lambda s, n: place_of_last(s.C[-n:]),
    "ret_1_scaled_{n}": lambda s, n: ratio(s.r[-1], std(s.r[-n:])),
}
