"""Computes the features of a block of sessions for all stocks, in the form of the dataset's files.

First, time-series values are computed on tiles of a few stocks with only the history that the lookback needs, so that a
tile fits into the processor's cache; then the cross-sectional step runs per session. The bits of a value do not depend
on the block and tile boundaries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from gogooku3.dataset.normalise import robust_z
from gogooku3.features.feature import Feature
from gogooku3.features.market import Market

STOCKS_AT_ONCE = 64
"""Tile size."""
_LOOKBACKS = (1, 21, 61, 121, 251)
"""Bounds of lookback classes; the features of one class share a history."""

Block = npt.NDArray[np.float32]


def feature_block(
    market: Market,
    features: Sequence[Feature],
    clip: float,
    start: int,
    stop: int,
    advance: Callable[[float], None] = lambda share: None,
) -> Block:
    """[F, stop − start, S] values of the sessions start … stop − 1, normalised except for `session` features.

    Reads only these sessions and the longest lookback before them.

    Args:
        market: its stocks must include all with a bar in these sessions.
        advance: progress callback; its argument is the share of work done since the last call.
    """
    x_FTS = np.empty((len(features), stop - start, len(market.codes)), np.float32)
    for indices in _by_lookback(features):
        of_session = features[indices[0]].scope == "session"
        lookback = max(features[index].lookback for index in indices)
        begin = max(0, start - lookback + 1)
        history = market.rows(begin, stop)
        tiles = [slice(0, len(market.codes))] if of_session else _tiles(len(market.codes))
        for tile in tiles:
            part = history if of_session else history.columns(tile.start, tile.stop)
            for index in indices:
                own = features[index].own(part)[start - begin :]
                x_FTS[index, :, tile] = own[:, None] if of_session else own
            advance(0.7 * len(indices) / len(features) / len(tiles))
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


def _by_lookback(features: Sequence[Feature]) -> Iterator[list[int]]:
    """Indices of the features, grouped by lookback class, `session` features separately."""
    classes: dict[tuple[bool, int], list[int]] = {}
    for index, feature in enumerate(features):
        bound = next((bound for bound in _LOOKBACKS if feature.lookback <= bound), feature.lookback)
        classes.setdefault((feature.scope == "session", bound), []).append(index)
    yield from classes.values()


def _tiles(stocks: int) -> list[slice]:
    return [slice(first, min(first + STOCKS_AT_ONCE, stocks)) for first in range(0, stocks, STOCKS_AT_ONCE)]


def _canonical(values: npt.NDArray[np.floating]) -> Block:
    """float32 with one bit pattern for NaN and one for zero: the sign of either depends on the SIMD width."""
    narrow = values.astype(np.float32)
    narrow += np.float32(0.0)
    narrow[np.isnan(narrow)] = np.nan
    return narrow
