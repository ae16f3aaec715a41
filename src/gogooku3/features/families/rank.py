"""Cross-sectional ranks of the main features over the stocks of a session, from −1 to 1; not normalised again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from gogooku3.dataset import cross_section
from gogooku3.dataset.elementwise import Floats
from gogooku3.features.families.declare import Family
from gogooku3.features.families.distribution import max_return, up_share
from gogooku3.features.families.liquidity import log_turnover
from gogooku3.features.families.momentum import high_distance
from gogooku3.features.families.relative import beta, index_correlation
from gogooku3.features.families.returns import intraday, intraday_mean, overnight, overnight_mean, past_return
from gogooku3.features.families.sector import less_sector
from gogooku3.features.families.technical import rsi
from gogooku3.features.families.volatility import average_true_range, close_to_close, log_range
from gogooku3.features.families.volume import volume_ratio
from gogooku3.features.feature import Feature
from gogooku3.features.market import Market

_family = Family("rank", "rank")


def _rank(values_TS: Floats, market: Market) -> Floats:
    return cross_section.rank(values_TS)


def _rank_less_sector(values_TS: Floats, market: Market) -> Floats:
    return cross_section.rank(less_sector(values_TS, market))


def _of(name: str, lookback: int, compute: Callable[[Market], Floats], *, within_sector: bool = False) -> Feature:
    across = _rank_less_sector if within_sector else _rank
    definition = f"rank of `{name}` across stocks, equals sharing their mean rank, from −1 (lowest) to 1"
    return _family.one(f"rank_{name}", lookback, definition, compute, across)


FEATURES = (
    *(_of(f"ret_{n}", n + 1, partial(past_return, window=n)) for n in (1, 3, 5, 10, 20, 60)),
    _of("mom_250_skip_20", 251, partial(past_return, window=250, skip=20)),
    _of("ret_overnight_1", 2, overnight),
    _of("ret_intraday_1", 1, intraday),
    _of("ret_overnight_20", 21, partial(overnight_mean, window=20)),
    _of("ret_intraday_20", 20, partial(intraday_mean, window=20)),
    *(_of(f"ret_{n}_less_sector", n + 1, partial(past_return, window=n), within_sector=True) for n in (1, 5, 20)),
    *(_of(f"vol_close_{n}", n + 1, partial(close_to_close, window=n)) for n in (20, 60)),
    _of("atr_14", 15, partial(average_true_range, window=14)),
    _of("range_1", 1, log_range),
    _of("log_turnover_20", 20, partial(log_turnover, window=20)),
    *(
        _of(f"volume_ratio_{short}_{long}", long, partial(volume_ratio, short=short, window=long))
        for short, long in ((1, 20), (5, 60))
    ),
    _of("beta_60", 61, partial(beta, window=60)),
    _of("index_corr_60", 61, partial(index_correlation, window=60)),
    _of("max_return_20", 21, partial(max_return, window=20)),
    _of("up_share_20", 21, partial(up_share, window=20)),
    *(_of(f"high_distance_{n}", n, partial(high_distance, window=n)) for n in (60, 250)),
    _of("rsi_14", 15, partial(rsi, window=14)),
)
