from __future__ import annotations

from itertools import pairwise
from typing import Any

from ..plain import (
    both_known,
    corr,
    higher,
    highest,
    log,
    mean,
    place_of_last,
    ratio,
    sign,
    since_highest,
    skew,
    slope,
    std,
)
from .candles import close_place, over
from .momentum import logs
from .technical import typical_prices
from .volatility import ranges


def _weighted(weights: list[float], volumes: list[float]) -> float:
    """Mean of the weights by volume, over the sessions that have both."""
    weights, volumes = both_known(weights, volumes)
    return ratio(mean([w * v for w, v in zip(weights, volumes, strict=True)]), mean(volumes))


def _changes(s: Any, n: int) -> list[float]:
    return [log(ratio(b, a)) for a, b in zip(s.V[-n - 1 : -1], s.V[-n:], strict=True)]


def _money_flow(s: Any, n: int) -> float:
    """Quong and Soudack: positive money flow over positive and negative."""
    prices = typical_prices(s, n + 1)
    changes = [later - earlier for earlier, later in pairwise(prices)]
    flows = [price * volume for price, volume in zip(prices[1:], s.V[-n:], strict=True)]
    pairs = list(zip(*both_known(changes, flows), strict=True))
    rising = mean([flow if change > 0 else 0 * flow for change, flow in pairs])
    falling = mean([flow if change < 0 else 0 * flow for change, flow in pairs])
    return ratio(rising, rising + falling)


def _gain_share(s: Any, n: int) -> float:
    steps = [b - a for a, b in zip(s.V[-n - 1 : -1], s.V[-n:], strict=True)]
    return ratio(mean([higher(step, 0.0) for step in steps]), mean([abs(step) for step in steps]))


def _moved_variation(s: Any, n: int) -> float:
    moved = [abs(r) * v for r, v in zip(s.r[-n:], s.V[-n:], strict=True)]
    return ratio(std(moved), mean(moved))


STOCK = {
    "volume_ratio_{a}_{b}": lambda s, a, b: log(ratio(mean(s.V[-a:]), mean(s.V[-b:]))),
    "volume_deviation_{n}_lag_{k}": lambda s, n, k: log(s.V[-1 - k]) - mean(logs(s.V[-n:])),
    "volume_change_1": lambda s: _changes(s, 1)[0],
    "volume_std_{n}": lambda s, n: std(logs(s.V[-n:])),
    "volume_slope_{n}": lambda s, n: slope(logs(s.V[-n:])),
    "volume_skew_{n}": lambda s, n: skew(logs(s.V[-n:])),
    "volume_place_{n}": lambda s, n: place_of_last(s.V[-n:]),
    "volume_from_highest_{n}": lambda s, n: log(s.V[-1]) - highest(logs(s.V[-n:])),
    "since_volume_high_{n}": lambda s, n: since_highest(s.V[-n:]),
    "volume_autocorr_{n}": lambda s, n: corr(logs(s.V[-n:]), logs(s.V[-n - 1 : -1])),
    "volume_return_corr_{n}": lambda s, n: corr(s.r[-n:], logs(s.V[-n:])),
    "volume_price_corr_{n}": lambda s, n: corr(logs(s.C[-n:]), logs(s.V[-n:])),
    "volume_change_corr_{n}": lambda s, n: corr(s.r[-n:], _changes(s, n)),
    "volume_range_corr_{n}": lambda s, n: corr(ranges(s, n), logs(s.V[-n:])),
    "volume_size_corr_{n}": lambda s, n: corr([abs(r) for r in s.r[-n:]], logs(s.V[-n:])),
    "signed_volume_{n}": lambda s, n: _weighted([sign(r) for r in s.r[-n:]], s.V[-n:]),
    "volume_weighted_ret_{n}": lambda s, n: _weighted(s.r[-n:], s.V[-n:]),
    "accumulation_{n}": lambda s, n: _weighted([2 * place - 1 for place in over(n, close_place, s)], s.V[-n:]),
    "money_flow_{n}": _money_flow,
    "volume_gain_share_{n}": _gain_share,
    "moved_volume_variation_{n}": _moved_variation,
}
