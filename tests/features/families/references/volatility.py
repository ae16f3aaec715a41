from __future__ import annotations

import math
from typing import Any

from ..plain import corr, decayed_mean, higher, log, lower, mean, ratio, root, slope, std, var


def ranges(s: Any, n: int) -> list[float]:
    """log(H / L)."""
    return [log(ratio(h, low)) for h, low in zip(s.H[-n:], s.L[-n:], strict=True)]


def true_ranges(s: Any, n: int) -> list[float]:
    bars = zip(s.H[-n:], s.L[-n:], s.C[-n - 1 : -1], strict=True)
    return [higher(h - low, higher(h - c, c - h), higher(low - c, c - low)) for h, low, c in bars]


def parkinson(s: Any, n: int) -> float:
    return root(mean([x * x for x in ranges(s, n)]) / (4 * math.log(2)))


def garman_klass(s: Any, n: int) -> float:
    """Their fifth estimator: u, d and c are the high, the low and the close over the open."""
    steps = []
    for o, h, low, c in _bars(s, n):
        up, down, close = log(ratio(h, o)), log(ratio(low, o)), log(ratio(c, o))
        steps.append(0.5 * (up - down) ** 2 - (2 * math.log(2) - 1) * close**2)
    return root(mean(steps))


def rogers_satchell_variance(s: Any, n: int) -> float:
    steps = []
    for o, h, low, c in _bars(s, n):
        up, down, close = log(ratio(h, o)), log(ratio(low, o)), log(ratio(c, o))
        steps.append(up * (up - close) + down * (down - close))
    return mean(steps)


def yang_zhang(s: Any, n: int) -> float:
    k = 0.34 / (1.34 + (n + 1) / (n - 1))
    return root(var(s.g[-n:]) + k * var(s.d[-n:]) + (1 - k) * rogers_satchell_variance(s, n))


def downside(s: Any, n: int) -> float:
    return root(mean([lower(r, 0) ** 2 for r in s.r[-n:]]))


def upside(s: Any, n: int) -> float:
    return root(mean([higher(r, 0) ** 2 for r in s.r[-n:]]))


def _bars(s: Any, n: int) -> list[tuple[float, ...]]:
    return list(zip(s.O[-n:], s.H[-n:], s.L[-n:], s.C[-n:], strict=True))


def _jumps(s: Any, n: int) -> float:
    bipower = [abs(a) * abs(b) for a, b in zip(s.r[-n:], s.r[-n - 1 : -1], strict=True)]
    return 1 - ratio(math.pi / 2 * mean(bipower), mean([r * r for r in s.r[-n:]]))


STOCK = {
    "vol_close_{n}": lambda s, n: std(s.r[-n:]),
    "vol_parkinson_{n}": parkinson,
    "vol_garman_klass_{n}": garman_klass,
    "vol_rogers_satchell_{n}": lambda s, n: root(rogers_satchell_variance(s, n)),
    "vol_yang_zhang_{n}": yang_zhang,
    "vol_night_{n}": lambda s, n: std(s.g[-n:]),
    "vol_day_{n}": lambda s, n: std(s.d[-n:]),
    "vol_ratio_{a}_{b}": lambda s, a, b: log(ratio(std(s.r[-a:]), std(s.r[-b:]))),
    "vol_range_ratio_{a}_{b}": lambda s, a, b: log(ratio(parkinson(s, a), parkinson(s, b))),
    "vol_range_to_close_{n}": lambda s, n: log(ratio(parkinson(s, n), std(s.r[-n:]))),
    "vol_overnight_share_{n}": lambda s, n: ratio(var(s.g[-n:]), var(s.g[-n:]) + var(s.d[-n:])),
    "vol_down_{n}": downside,
    "vol_up_{n}": upside,
    "vol_down_to_up_{n}": lambda s, n: log(ratio(downside(s, n), upside(s, n))),
    "vol_decayed_{n}": lambda s, n: root(decayed_mean([r * r for r in s.r[-n:]])),
    "vol_of_vol_{n}": lambda s, n: std([log(parkinson(s.ago(k), 5)) for k in reversed(range(n))]),
    "vol_jump_{n}": _jumps,
    "vol_quarticity_{n}": lambda s, n: log(ratio(mean([r**4 for r in s.r[-n:]]), mean([r**2 for r in s.r[-n:]]) ** 2)),
    "atr_{n}": lambda s, n: ratio(mean(true_ranges(s, n)), s.C[-1]),
    "range_{n}": lambda s, n: mean(ranges(s, n)),
    "range_variation_{n}": lambda s, n: ratio(std(ranges(s, n)), mean(ranges(s, n))),
    "range_slope_{n}": lambda s, n: slope(ranges(s, n)),
    "range_deviation_{n}": lambda s, n: ratio(ranges(s, 1)[0], mean(ranges(s, n))),
    "leverage_{n}": lambda s, n: corr(s.r[-n - 1 : -1], ranges(s, n)),
}
