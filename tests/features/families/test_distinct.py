"""No two features are equal or opposite, or rank the stocks of a session in the same or the opposite order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import rankdata

from gogooku3.features.block import Block, feature_block
from gogooku3.features.families import returns
from gogooku3.features.feature import Feature
from gogooku3.features.market import Market
from gogooku3.features.registry import select

from ...assembly.conftest import Frames, random_frames

EVERY = select("full")
SESSIONS = 70


@pytest.fixture(scope="module", params=["random", "real"])
def bars(request: pytest.FixtureRequest) -> Market:
    """Random bars in ticks, so that a close may be that of the session before; or real ones."""
    if request.param == "random":
        whole = random_frames(stocks=42, sectors=7).market()
        prices = ("open_TS", "high_TS", "low_TS", "close_TS")
        return replace(whole, **{name: np.rint(getattr(whole, name)) for name in prices})
    frames: Frames = request.getfixturevalue("real")
    return frames.market()


def values(features: Sequence[Feature], market: Market) -> Block:
    """[F, T, S] as the files hold them, of the last sessions."""
    last = len(market.sessions)
    return feature_block(market, features, 5.0, last - SESSIONS, last)


def alike(features: Sequence[Feature], x_FTS: np.ndarray, bound: float) -> list[tuple[str, str]]:
    """The pairs whose correlation is one or minus one."""
    x_NF = x_FTS.reshape(len(features), -1).T.astype(np.float64)
    x_NF = x_NF[np.isfinite(x_NF).all(axis=1)]
    assert len(x_NF) > 500
    unmoved = [feature.name for feature, moved in zip(features, np.ptp(x_NF, axis=0) > 0, strict=True) if not moved]
    assert unmoved == []
    correlation_FF = np.abs(np.corrcoef(x_NF, rowvar=False))
    return [(features[a].name, features[b].name) for a, b in np.argwhere(np.triu(correlation_FF, k=1) > bound)]


def test_no_two_features_have_the_same_values_or_opposite_ones(bars: Market) -> None:
    assert alike(EVERY, values(EVERY, bars), 0.9999) == []


def test_no_two_features_rank_the_stocks_in_the_same_or_the_opposite_order(bars: Market) -> None:
    """The family `rank` apart, whose features are the order of others."""
    features = [feature for feature in EVERY if feature.scope == "stock"]
    x_FTS = values(features, bars)
    order_FTS = np.where(np.isfinite(x_FTS), rankdata(x_FTS, axis=2, nan_policy="omit"), np.nan)
    assert alike(features, order_FTS, 0.999) == []


def test_a_duplicate_and_a_negated_feature_are_found(market: Market) -> None:
    ret_5 = next(feature for feature in EVERY if feature.name == "ret_5")
    twice = replace(ret_5, name="ret_five", definition="ret_5 once more")
    turned = replace(ret_5, name="loss_5", compute=lambda market: -returns.past_return(market, window=5))
    features = [*(feature for feature in EVERY if feature.family == "returns"), twice, turned]
    pairs = alike(features, values(features, market), 0.9999)
    assert pairs == [("ret_5", "ret_five"), ("ret_5", "loss_5"), ("ret_five", "loss_5")]
