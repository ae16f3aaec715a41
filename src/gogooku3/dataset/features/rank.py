"""Ranks of the main quantities across the stocks of a session, from −1 to 1; read as they are."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from gogooku3.dataset import cross_section
from gogooku3.dataset.elementwise import Floats
from gogooku3.dataset.feature import Feature
from gogooku3.dataset.features.distribution import max_return
from gogooku3.dataset.features.liquidity import log_turnover, volume_ratio
from gogooku3.dataset.features.momentum import high_distance
from gogooku3.dataset.features.relative import beta, less_sector
from gogooku3.dataset.features.returns import overnight, past_return
from gogooku3.dataset.features.volatility import close_to_close
from gogooku3.dataset.market import Market


def _rank(of: str, lookback: int, quantity: Callable[[Market], Floats]) -> Feature:
    return Feature(
        "rank",
        "rank",
        f"rank_{of}",
        lookback,
        f"rank of `{of}` across stocks, equals sharing their mean rank, from −1 (lowest) to 1",
        lambda market: cross_section.rank(quantity(market)),
    )


FEATURES = (
    *(_rank(f"ret_{n}", n + 1, partial(past_return, sessions=n)) for n in (1, 5, 20, 60)),
    _rank("mom_250_skip_20", 251, partial(past_return, sessions=250, skip=20)),
    _rank("ret_overnight_1", 2, overnight),
    _rank("ret_less_sector_5", 6, partial(less_sector, of=partial(past_return, sessions=5))),
    _rank("vol_close_20", 21, partial(close_to_close, window=20)),
    _rank("log_turnover_20", 20, partial(log_turnover, window=20)),
    _rank("volume_ratio_1_20", 20, partial(volume_ratio, short=1, long=20)),
    _rank("beta_60", 61, partial(beta, window=60)),
    _rank("max_return_20", 21, partial(max_return, window=20)),
    _rank("high_distance_250", 250, partial(high_distance, window=250)),
)
