from __future__ import annotations

from typing import Any

from ..plain import corr, highest, kurt, log, lowest, mean, quantile, ratio, share, skew, std, var
from .momentum import logs


def _jumps(s: Any, n: int) -> float:
    usual = [2 * std(s.r[i - n : i]) for i in range(len(s.r) - n, len(s.r))]
    return mean([share(abs(r) > usual_size, r, usual_size) for r, usual_size in zip(s.r[-n:], usual, strict=True)])


def _variance_ratio(s: Any, k: int, n: int) -> float:
    long = [log(ratio(s.C[i], s.C[i - k])) for i in range(-n, 0)]
    return log(ratio(var(long), k * var(s.r[-n:])))


def _tail_balance(s: Any, n: int) -> float:
    low, middle, high = (quantile(s.r[-n:], q) for q in (0.1, 0.5, 0.9))
    return ratio(high + low - 2 * middle, high - low)


STOCK = {
    "skew_{n}": lambda s, n: skew(s.r[-n:]),
    "kurt_{n}": lambda s, n: kurt(s.r[-n:]),
    "night_skew_{n}": lambda s, n: skew(s.g[-n:]),
    "day_skew_{n}": lambda s, n: skew(s.d[-n:]),
    "max_return_{n}": lambda s, n: highest(s.r[-n:]),
    "min_return_{n}": lambda s, n: lowest(s.r[-n:]),
    "extreme_balance_{n}": lambda s, n: highest(s.r[-n:]) + lowest(s.r[-n:]),
    "quantile_{p}_{n}": lambda s, p, n: quantile(s.r[-n:], p / 100),
    "tail_balance_{n}": _tail_balance,
    "up_share_{n}": lambda s, n: mean([share(r > 0, r) for r in s.r[-n:]]),
    "day_up_share_{n}": lambda s, n: mean([share(d > 0, d) for d in s.d[-n:]]),
    "jump_share_{n}": _jumps,
    "surprise_{n}": lambda s, n: ratio(s.r[-1], std(s.r[-n - 1 : -1])),
    "autocorr_{k}_{n}": lambda s, k, n: corr(s.r[-n:], s.r[-n - k : -k]),
    "size_autocorr_1_{n}": lambda s, n: corr([abs(r) for r in s.r[-n:]], [abs(r) for r in s.r[-n - 1 : -1]]),
    "night_day_corr_{n}": lambda s, n: corr(s.g[-n:], s.d[-n:]),
    "day_night_corr_{n}": lambda s, n: corr(s.d[-n - 1 : -1], s.g[-n:]),
    "variance_ratio_{k}_{n}": _variance_ratio,
    "rescaled_range_{n}": lambda s, n: log(ratio(highest(logs(s.C[-n:])) - lowest(logs(s.C[-n:])), std(s.r[-n:]))),
    "mean_shift_60": lambda s: ratio(mean(s.r[-20:]) - mean(s.r[-60:]), std(s.r[-60:])),
}
