from __future__ import annotations

import math
from typing import Any

from ..plain import both_known, corr, cov, higher, log, lower, mean, ratio, root, share, sign, std


def _impact(s: Any, n: int) -> float:
    return mean([ratio(abs(r), tv) for r, tv in zip(s.r[-n:], s.TV[-n:], strict=True)])


def _falling_impact(s: Any, n: int) -> float:
    falling = [ratio(-lower(r, 0), tv) for r, tv in zip(s.r[-n:], s.TV[-n:], strict=True)]
    return ratio(mean(falling), _impact(s, n))


def _corwin_schultz(s: Any, n: int) -> float:
    """The steps of the paper, for one pair of sessions at a time."""
    spreads = []
    for i in range(-n, 0):
        high, low, last = s.H[i], s.L[i], s.C[i - 1]
        if low > last:
            high, low = high - (low - last), last
        elif high < last:
            high, low = last, low + (last - high)
        beta = log(ratio(s.H[i - 1], s.L[i - 1])) ** 2 + log(ratio(high, low)) ** 2
        gamma = log(ratio(higher(s.H[i - 1], high), lower(s.L[i - 1], low))) ** 2
        k = 3 - 2 * math.sqrt(2)
        spreads.append(higher((root(2 * beta) - root(beta)) / k - root(gamma / k), 0.0, 0 * last))
    return mean(spreads)


def _abdi_ranaldo(s: Any, n: int) -> float:
    middle = [(log(h) + log(low)) / 2 for h, low in zip(s.H[-n - 1 :], s.L[-n - 1 :], strict=True)]
    close = [log(c) for c in s.C[-n - 1 :]]
    pairs = [4 * (close[i] - middle[i]) * (close[i] - middle[i + 1]) for i in range(n)]
    return mean([root(higher(pair, 0.0)) for pair in pairs])


def _to_average_price(s: Any, n: int) -> float:
    values, volumes = both_known(s.TV[-n:], s.V[-n:])
    price = ratio(mean(values), mean(volumes))
    return log(ratio(s.C[-1], price))


def _flow_correlation(s: Any, n: int) -> float:
    return corr([sign(d) * root(tv) for d, tv in zip(s.d[-n:], s.TV[-n:], strict=True)], s.r[-n:])


STOCK = {
    "log_turnover_{n}": lambda s, n: log(mean(s.TV[-n:])),
    "turnover_ratio_{a}_{b}": lambda s, a, b: log(mean(s.TV[-a:])) - log(mean(s.TV[-b:])),
    "turnover_variation_{n}": lambda s, n: ratio(std(s.TV[-n:]), mean(s.TV[-n:])),
    "amihud_{n}": lambda s, n: log(_impact(s, n)),
    "amihud_ratio_{a}_{b}": lambda s, a, b: log(_impact(s, a)) - log(_impact(s, b)),
    "falling_impact_{n}": _falling_impact,
    "roll_spread_{n}": lambda s, n: 2 * root(higher(-cov(s.r[-n:], s.r[-n - 1 : -1]), 0.0)),
    "corwin_schultz_{n}": _corwin_schultz,
    "abdi_ranaldo_{n}": _abdi_ranaldo,
    "zero_return_share_{n}": lambda s, n: mean([share(r == 0, r) for r in s.r[-n:]]),
    "vwap_distance_{n}": _to_average_price,
    "flow_correlation_{n}": _flow_correlation,
}
