from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..plain import higher, log, lower, mean, ratio, share
from .volatility import ranges


def over(n: int, of_bar: Callable[[float, float, float, float], float], s: Any) -> list[float]:
    """A quantity of each of the last bars."""
    return [of_bar(*bar) for bar in zip(s.O[-n:], s.H[-n:], s.L[-n:], s.C[-n:], strict=True)]


def _body(o: float, h: float, low: float, c: float) -> float:
    return ratio(c - o, h - low)


def close_place(o: float, h: float, low: float, c: float) -> float:
    return ratio(c - low, h - low)


def _upper_shadow(o: float, h: float, low: float, c: float) -> float:
    return log(ratio(h, higher(o, c)))


def _lower_shadow(o: float, h: float, low: float, c: float) -> float:
    return log(ratio(lower(o, c), low))


def _balance(o: float, h: float, low: float, c: float) -> float:
    return _lower_shadow(o, h, low, c) - _upper_shadow(o, h, low, c)


def _overlap(s: Any) -> float:
    highs, lows = s.H[-2:], s.L[-2:]
    return ratio(log(ratio(lower(*highs), higher(*lows))), log(ratio(higher(*highs), lower(*lows))))


def _gap_share(s: Any, n: int) -> float:
    night, day = mean([abs(g) for g in s.g[-n:]]), mean([abs(d) for d in s.d[-n:]])
    return ratio(night, night + day)


def _inside(s: Any, i: int) -> float:
    return share(s.H[i] <= s.H[i - 1] and s.L[i] >= s.L[i - 1], s.H[i], s.L[i], s.H[i - 1], s.L[i - 1])


STOCK = {
    "body_{n}": lambda s, n: mean(over(n, _body, s)),
    "close_place_{n}": lambda s, n: mean(over(n, close_place, s)),
    "upper_shadow_1": lambda s: over(1, _upper_shadow, s)[0],
    "lower_shadow_1": lambda s: over(1, _lower_shadow, s)[0],
    "upper_shadow_share_1": lambda s: ratio(over(1, _upper_shadow, s)[0], ranges(s, 1)[0]),
    "lower_shadow_share_1": lambda s: ratio(over(1, _lower_shadow, s)[0], ranges(s, 1)[0]),
    "shadow_balance_{n}": lambda s, n: ratio(mean(over(n, _balance, s)), mean(ranges(s, n))),
    "open_to_last_high_1": lambda s: log(ratio(s.O[-1], s.H[-2])),
    "open_to_last_low_1": lambda s: log(ratio(s.O[-1], s.L[-2])),
    "close_to_last_middle_1": lambda s: log(ratio(s.C[-1], (s.H[-2] * s.L[-2]) ** 0.5)),
    "range_overlap_1": _overlap,
    "gap_share_{n}": _gap_share,
    "inside_share_{n}": lambda s, n: mean([_inside(s, i) for i in range(-n, 0)]),
}
