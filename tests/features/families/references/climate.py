"""Of the index, and of all stocks that have a bar in the session."""

from __future__ import annotations

from statistics import pstdev
from typing import Any

from ..plain import across, highest, log, lowest, mean, ratio, share, std
from .momentum import logs
from .volatility import ranges


def _index(t: Any) -> list[float]:
    return list(t.stocks[0].I)


def _moves(t: Any, n: int) -> list[float]:
    return list(t.stocks[0].m[-n:])


def _returns(t: Any, n: int) -> list[float]:
    return [log(ratio(s.C[-1], s.C[-1 - n])) for s in t.stocks]


def _above_mean(s: Any, n: int) -> float:
    return share(s.C[-1] > mean(s.C[-n:]), s.C[-1], mean(s.C[-n:]))


def _near_high(s: Any, n: int) -> float:
    distance = log(ratio(s.C[-1], highest(s.H[-n:])))
    return share(distance > -0.02, distance)


def _stock_vol(t: Any, n: int) -> float:
    return across([std(s.r[-n:]) for s in t.stocks if s.C[-1] == s.C[-1]])


SESSION = {
    "index_ret_{n}": lambda t, n: log(ratio(_index(t)[-1], _index(t)[-1 - n])),
    "index_vol_{n}": lambda t, n: std(_moves(t, n)),
    "index_vol_ratio_{a}_{b}": lambda t, a, b: log(ratio(std(_moves(t, a)), std(_moves(t, b)))),
    "index_high_distance_{n}": lambda t, n: log(ratio(_index(t)[-1], highest(_index(t)[-n:]))),
    "index_low_distance_{n}": lambda t, n: log(ratio(_index(t)[-1], lowest(_index(t)[-n:]))),
    "breadth_{n}": lambda t, n: across([share(r > 0, r) for r in _returns(t, n)]),
    "above_mean_share_{n}": lambda t, n: across([_above_mean(s, n) for s in t.stocks]),
    "dispersion_{n}": lambda t, n: across(_returns(t, n), pstdev),
    "near_high_share_{n}": lambda t, n: across([_near_high(s, n) for s in t.stocks]),
    "market_volume_{n}": lambda t, n: across([log(s.V[-1]) - mean(logs(s.V[-n:])) for s in t.stocks]),
    "market_range_{n}": lambda t, n: across([mean(ranges(s, n)) for s in t.stocks]),
    "market_overnight_1": lambda t: across([s.g[-1] for s in t.stocks]),
    "market_vol_{n}": lambda t, n: log(_stock_vol(t, n)),
    "togetherness_{n}": lambda t, n: log(ratio(std(_moves(t, n)), _stock_vol(t, n))),
}
