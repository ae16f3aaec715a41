from __future__ import annotations

import numpy as np
import pytest

from gogooku3.features.block import feature_block
from gogooku3.features.market import Market
from gogooku3.features.registry import select

EVERY = select("full")
CLIP = 3.0
ROWS = slice(300, 330)


@pytest.fixture(scope="module")
def suspended(make_frames: object) -> Market:
    """A market with suspended stocks; one session has few bars."""
    frames = make_frames()  # type: ignore[operator]
    absent = np.random.Generator(np.random.Philox(4)).random(frames.bars.height) < 0.02
    absent[14 * 310 : 14 * 310 + 10] = True
    return frames.with_bars(frames.bars.filter(~absent)).market()


@pytest.fixture(scope="module")
def block(suspended: Market) -> np.ndarray:
    return feature_block(suspended, EVERY, CLIP, ROWS.start, ROWS.stop)


def _robust_z(values: np.ndarray) -> np.ndarray:
    """Robust z-score of one session with NumPy's median."""
    known = values[~np.isnan(values)]
    if len(known) < 5:
        return np.full(len(values), np.nan)
    spread = 1.4826 * np.median(np.abs(known - np.median(known)))
    if spread == 0:
        spread = np.sqrt(np.pi / 2) * np.abs(known - np.median(known)).mean() or 1.0
    return np.clip((values - np.median(known)) / spread, -CLIP, CLIP)


def test_values_are_normalised_by_scope(suspended: Market, block: np.ndarray) -> None:
    for feature, found in zip(EVERY, block, strict=True):
        values = feature.values(suspended)[ROWS]
        expected = np.where(suspended.present_TS[ROWS], values if values.ndim == 2 else values[:, None], np.nan)
        if feature.scope == "stock":
            expected = np.stack([_robust_z(session.astype(np.float32)) for session in expected])
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5, err_msg=feature.name)


def test_a_stock_without_a_bar_has_no_values(suspended: Market, block: np.ndarray) -> None:
    absent_TS = ~suspended.present_TS[ROWS]
    assert absent_TS.any()
    assert np.isnan(block[:, absent_TS]).all()


def test_a_value_has_one_bit_pattern_for_nan_and_one_for_zero(block: np.ndarray) -> None:
    assert np.unique(block[np.isnan(block)].view(np.uint32)).tolist() == [0x7FC00000]
    assert not np.signbit(block[block == 0]).any()
