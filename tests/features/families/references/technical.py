"""Where TA-Lib has the same definition, `test_talib` compares with it too."""

from __future__ import annotations

import math
from typing import Any

from ..plain import highest, log, lower, lowest, mean, quantile, ratio, since_highest, since_lowest, std
from .momentum import logs
from .volatility import true_ranges


def typical_prices(s: Any, n: int) -> list[float]:
    return [(h + low + c) / 3 for h, low, c in zip(s.H[-n:], s.L[-n:], s.C[-n:], strict=True)]


def rsi(s: Any, n: int) -> float:
    steps = [b - a for a, b in zip(s.C[-n - 1 : -1], s.C[-n:], strict=True)]
    up, down = ([max(sign * step, 0.0) if step == step else step for step in steps] for sign in (1, -1))
    return ratio(mean(up), mean(up) + mean(down))


def _stochastic(s: Any, n: int) -> float:
    low = lowest(s.L[-n:])
    return ratio(s.C[-1] - low, highest(s.H[-n:]) - low)


def _commodity_channel(s: Any, n: int) -> float:
    prices = typical_prices(s, n)
    centre = mean(prices)
    return ratio(prices[-1] - centre, 0.015 * mean([abs(price - centre) for price in prices]))


def _macd(s: Any, a: int, b: int) -> float:
    return ratio(mean(s.C[-a:]) - mean(s.C[-b:]), s.C[-1])


def _direction(s: Any, n: int) -> float:
    """Of the two outward moves of a session, the larger one counts."""
    up, down = [], []
    for i in range(-n, 0):
        rise, fall = s.H[i] - s.H[i - 1], s.L[i - 1] - s.L[i]
        known = not math.isnan(rise + fall)
        up.append((rise if rise > max(fall, 0) else 0.0) if known else math.nan)
        down.append((fall if fall > max(rise, 0) else 0.0) if known else math.nan)
    return ratio(mean(up) - mean(down), mean(up) + mean(down))


def _vortex(s: Any, n: int) -> float:
    moves = [abs(s.H[i] - s.L[i - 1]) - abs(s.L[i] - s.H[i - 1]) for i in range(-n, 0)]
    return ratio(mean(moves), mean(true_ranges(s, n)))


def _ultimate(s: Any, n: int) -> float:
    pressure = [s.C[i] - lower(s.L[i], s.C[i - 1]) for i in range(-n, 0)]
    q = {k: ratio(mean(pressure[-k:]), mean(true_ranges(s, k))) for k in (n // 4, n // 2, n)}
    return (4 * q[n // 4] + 2 * q[n // 2] + q[n]) / 7


STOCK = {
    "rsi_{n}": rsi,
    "stochastic_{n}": _stochastic,
    "stochastic_mean_{n}_{k}": lambda s, n, k: mean([_stochastic(s.ago(i), n) for i in range(k)]),
    "williams_r_{n}": lambda s, n: ratio(s.C[-1] - highest(s.H[-n:]), highest(s.H[-n:]) - lowest(s.L[-n:])),
    "cci_{n}": _commodity_channel,
    "bollinger_z_{n}": lambda s, n: ratio(s.C[-1] - mean(s.C[-n:]), std(s.C[-n:])),
    "macd_{a}_{b}": _macd,
    "macd_histogram_{a}_{b}_{k}": lambda s, a, b, k: _macd(s, a, b) - mean([_macd(s.ago(i), a, b) for i in range(k)]),
    "aroon_up_{n}": lambda s, n: 1 - since_highest(s.H[-n:]) / (n - 1),
    "aroon_down_{n}": lambda s, n: 1 - since_lowest(s.L[-n:]) / (n - 1),
    "direction_{n}": _direction,
    "adx_{n}": lambda s, n: mean([abs(_direction(s.ago(i), n)) for i in range(n)]),
    "price_to_mean_{n}": lambda s, n: log(ratio(s.C[-1], mean(s.C[-n:]))),
    "price_to_median_{n}": lambda s, n: log(s.C[-1]) - quantile(logs(s.C[-n:]), 0.5),
    "keltner_{n}": lambda s, n: ratio(s.C[-1] - mean(s.C[-n:]), mean(true_ranges(s, n))),
    "price_std_{n}": lambda s, n: ratio(std(s.C[-n:]), s.C[-1]),
    "choppiness_{n}": lambda s, n: log(ratio(n * mean(true_ranges(s, n)), highest(s.H[-n:]) - lowest(s.L[-n:]))),
    "vortex_{n}": _vortex,
    "ultimate_{n}": _ultimate,
    "channel_width_{n}": lambda s, n: log(ratio(highest(s.H[-n:]), lowest(s.L[-n:]))),
    "bull_power_{n}": lambda s, n: ratio(s.H[-1] - mean(s.C[-n:]), s.C[-1]),
    "bear_power_{n}": lambda s, n: ratio(s.L[-1] - mean(s.C[-n:]), s.C[-1]),
}
