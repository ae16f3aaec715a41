"""The features of a block of time, of all its stocks, as the files hold them.

Each stock's own values are computed on tiles of a few stocks and no longer a history than a lookback needs, so that a
tile stays in the processor's cache; then each session's stocks are set beside each other. A value has the same bits
however time and stocks are cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from gogooku3.dataset.normalise import robust_z
from gogooku3.features.feature import Feature
from gogooku3.features.market import Market

STOCKS_AT_ONCE = 64
_LOOKBACKS = (1, 21, 61, 121, 251)
"""Features are computed together whose lookbacks lie between the same two."""

Block = npt.NDArray[np.float32]


def feature_block(
    market: Market,
    features: Sequence[Feature],
    clip: float,
    start: int,
    stop: int,
    advance: Callable[[float], None] = lambda share: None,
) -> Block:
    """[F, stop − start, S] values of the sessions start … stop − 1; `session` features raw, for the split fits them.

    Only these sessions and the longest lookback before them are read.

    Args:
        market: its stocks are all that have a bar in these sessions.
        advance: is told, as the work proceeds, what share of it was done.
    """
    x_FTS = np.empty((len(features), stop - start, len(market.codes)), np.float32)
    for places in _alike(features):
        of_session = features[places[0]].scope == "session"
        lookback = max(features[place].lookback for place in places)
        begin = max(0, start - lookback + 1)
        history = market.rows(begin, stop)
        tiles = [slice(0, len(market.codes))] if of_session else _tiles(len(market.codes))
        for tile in tiles:
            part = history if of_session else history.columns(tile.start, tile.stop)
            for place in places:
                own = features[place].own(part)[start - begin :]
                x_FTS[place, :, tile] = own[:, None] if of_session else own
            advance(0.7 * len(places) / len(features) / len(tiles))
    sessions = market.rows(start, stop)
    absent_TS = ~sessions.present_TS
    for feature, x_TS in zip(features, x_FTS, strict=True):
        x_TS[absent_TS] = np.nan
        if feature.across is not None:
            x_TS[...] = feature.across(x_TS.astype(np.float64), sessions)
            x_TS[absent_TS] = np.nan
        x_TS[...] = _canonical(robust_z(x_TS, clip) if feature.scope == "stock" else x_TS)
        advance(0.3 / len(features))
    return x_FTS


def _alike(features: Sequence[Feature]) -> Iterator[list[int]]:
    """Places of the features that are computed together: of like lookback, the session's apart from the stocks'."""
    classes: dict[tuple[bool, int], list[int]] = {}
    for place, feature in enumerate(features):
        reach = next((bound for bound in _LOOKBACKS if feature.lookback <= bound), feature.lookback)
        classes.setdefault((feature.scope == "session", reach), []).append(place)
    yield from classes.values()


def _tiles(stocks: int) -> list[slice]:
    return [slice(first, min(first + STOCKS_AT_ONCE, stocks)) for first in range(0, stocks, STOCKS_AT_ONCE)]


def _canonical(values: npt.NDArray[np.floating]) -> Block:
    """One bit pattern for NaN and one for zero: the sign that either carries depends on the width of vector loops."""
    narrow = values.astype(np.float32)
    narrow += np.float32(0.0)
    narrow[np.isnan(narrow)] = np.nan
    return narrow
