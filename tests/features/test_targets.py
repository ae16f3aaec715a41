from __future__ import annotations

from dataclasses import replace

import numpy as np

from gogooku3.dataset.schema import target_name
from gogooku3.features.market import Market
from gogooku3.features.targets import forward_returns


def test_a_target_is_the_simple_return_to_the_close_h_sessions_later(market: Market) -> None:
    y_HTS = forward_returns(market, [1, 5])
    close = market.close_TS
    np.testing.assert_allclose(y_HTS[0, 100], close[101] / close[100] - 1, rtol=1e-6)
    np.testing.assert_allclose(y_HTS[1, 100], close[105] / close[100] - 1, rtol=1e-6)
    assert y_HTS.dtype == np.float32


def test_a_target_after_the_end_is_missing(market: Market) -> None:
    y_HTS = forward_returns(market, [1, 5])
    assert np.isnan(y_HTS[0, -1]).all()
    assert np.isnan(y_HTS[1, -5:]).all()
    assert not np.isnan(y_HTS[:, :-5]).any()


def test_targets_from_and_to_a_missing_bar_are_missing(market: Market) -> None:
    close_TS = market.close_TS.copy()
    close_TS[50, 2] = np.nan
    missing = np.isnan(forward_returns(replace(market, close_TS=close_TS), [1, 5])[:, :300])
    assert {tuple(place) for place in np.argwhere(missing).tolist()} == {
        (0, 50, 2),
        (0, 49, 2),
        (1, 50, 2),
        (1, 45, 2),
    }


def test_a_horizon_longer_than_the_history_is_all_missing(market: Market) -> None:
    assert np.isnan(forward_returns(market.rows(0, 4), [9])).all()


def test_a_target_is_named_by_its_horizon() -> None:
    assert target_name(20) == "target_20"
