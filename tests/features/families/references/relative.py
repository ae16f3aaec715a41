from __future__ import annotations

from typing import Any

from ..plain import beta, both_known, corr, higher, log, lower, mean, ratio, residual_std, skew, std, var
from .volatility import ranges


def _semibeta(of: Any, s: Any, n: int) -> float:
    r, m = both_known(s.r[-n:], s.m[-n:])
    return ratio(mean([of(a, 0) * of(b, 0) for a, b in zip(r, m, strict=True)]), mean([b * b for b in m]))


def _coskew(s: Any, n: int) -> float:
    r, m = both_known(s.r[-n:], s.m[-n:])
    r_mean, m_mean = mean(r), mean(m)
    together = mean([(a - r_mean) * (b - m_mean) ** 2 for a, b in zip(r, m, strict=True)])
    return ratio(together, std(r) * var(m))


def _up_capture(s: Any, n: int) -> float:
    pairs = zip(*both_known(s.r[-n:], s.m[-n:]), strict=True)
    return mean([r if m > 0 else 0 * r for r, m in pairs])


def _residual(s: Any, k: int) -> float:
    """Beta comes from 60 sessions; for 120 sessions' return, from 250."""
    n = 250 if k == 120 else 60
    return log(ratio(s.C[-1], s.C[-1 - k])) - beta(s.m[-n:], s.r[-n:]) * log(ratio(s.I[-1], s.I[-1 - k]))


STOCK = {
    "beta_{n}": lambda s, n: beta(s.m[-n:], s.r[-n:]),
    "beta_change_{a}_{b}": lambda s, a, b: beta(s.m[-a:], s.r[-a:]) - beta(s.m[-b:], s.r[-b:]),
    "beta_night_{n}": lambda s, n: beta(s.m[-n:], s.g[-n:]),
    "semibeta_falling_{n}": lambda s, n: _semibeta(lower, s, n),
    "semibeta_rising_{n}": lambda s, n: _semibeta(higher, s, n),
    "index_corr_{n}": lambda s, n: corr(s.m[-n:], s.r[-n:]),
    "index_corr_delayed_{n}": lambda s, n: corr(s.m[-n - 1 : -1], s.r[-n:]),
    "range_index_corr_{n}": lambda s, n: corr([abs(m) for m in s.m[-n:]], ranges(s, n)),
    "idio_vol_{n}": lambda s, n: residual_std(s.m[-n:], s.r[-n:]),
    "idio_share_{n}": lambda s, n: log(ratio(residual_std(s.m[-n:], s.r[-n:]), std(s.r[-n:]))),
    "idio_skew_{n}": lambda s, n: skew([r - m for r, m in zip(s.r[-n:], s.m[-n:], strict=True)]),
    "coskew_{n}": _coskew,
    "up_capture_{n}": _up_capture,
    "residual_ret_{k}": _residual,
}
