"""Properties of every feature: no look-ahead, exact lookback, invariance to splits and units, no zeros for missing."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl
import pytest

from gogooku3.features.feature import Feature
from gogooku3.features.market import Market
from gogooku3.features.registry import select
from gogooku3.features.targets import forward_returns

EVERY = select("full")
SERIES = ("open_TS", "high_TS", "low_TS", "close_TS", "volume_TS", "turnover_TS", "index_T")
PRICES = ("open_TS", "high_TS", "low_TS", "close_TS")

FAMILIES = {feature.family: None for feature in EVERY}

Property = Callable[..., None]


def disturbed(market: Market, rows: slice, seed: int, columns: slice = slice(None)) -> Market:
    """The market with random prices, volumes and index levels in some sessions; highs and lows stay consistent."""
    draw = np.random.Generator(np.random.Philox(seed))
    changed = {name: getattr(market, name).copy() for name in SERIES}
    for name, values in changed.items():
        place = (rows, columns) if values.ndim == 2 else (rows,)
        values[place] *= draw.uniform(0.6, 1.6, values[place].shape)
        changed[name] = values
    top = np.maximum.reduce([changed[name] for name in PRICES])
    bottom = np.minimum.reduce([changed[name] for name in PRICES])
    changed["high_TS"][rows, columns], changed["low_TS"][rows, columns] = top[rows, columns], bottom[rows, columns]
    return replace(market, **changed)


@cache
def _disturbed_before(market: Market, row: int) -> Market:
    return disturbed(market, slice(0, row), seed=row)


def _same(found: np.ndarray, wanted: np.ndarray) -> None:
    np.testing.assert_array_equal(found, wanted)
    assert np.isfinite(wanted).any()


def bars_older_than_the_lookback_change_no_bit(feature: Feature, market: Market) -> None:
    last = len(market.sessions) - 1
    older = _disturbed_before(market, last - feature.lookback + 1)
    _same(feature.values(older)[last], feature.values(market)[last])


def the_lookback_is_not_overstated(feature: Feature, market: Market) -> None:
    if feature.family == "calendar" or feature.name.startswith("zero_return_share_"):
        return  # dates are not disturbed here, and no disturbance makes a return exactly zero
    sessions = range(len(market.sessions) - 12, len(market.sessions))
    changed = (
        feature.values(disturbed(market, slice(row - feature.lookback + 1, row - feature.lookback + 2), seed))[row]
        for row in sessions
        for seed in (1, 2)
    )
    wanted = feature.values(market)
    assert any(
        not np.array_equal(found, wanted[row], equal_nan=True)
        for found, row in zip(changed, (row for row in sessions for _ in (1, 2)), strict=True)
    )


def bars_after_the_session_change_no_bit(feature: Feature, market: Market) -> None:
    wanted = feature.values(market)
    for row in (255, 290, 328):
        future = disturbed(market, slice(row + 1, None), seed=row)
        for found in (feature.values(future)[: row + 1], feature.values(market.rows(0, row + 1))):
            np.testing.assert_array_equal(found, wanted[: row + 1], err_msg=f"{feature.name} looks ahead")


def the_start_of_the_history_changes_no_bit(feature: Feature, market: Market) -> None:
    start = 330 - 3 - feature.lookback
    found = feature.values(market.rows(start, 330))
    np.testing.assert_array_equal(found[feature.lookback - 1 :], feature.values(market)[start + feature.lookback - 1 :])
    assert np.isnan(found[: feature.lookback - 1]).all()


def _of_the_next_session(market: Market) -> np.ndarray:
    ahead_TS = np.full(market.close_TS.shape, np.nan)
    ahead_TS[:-1] = market.return_TS[1:]
    return ahead_TS


def _least_yet_to_come(market: Market) -> np.ndarray:
    return np.flip(np.minimum.accumulate(np.flip(market.close_TS, 0), axis=0), 0)


def _against_all_of_history(market: Market) -> np.ndarray:
    return market.return_TS - np.nanmean(market.return_TS)


@pytest.mark.parametrize("compute", [_of_the_next_session, _least_yet_to_come, _against_all_of_history])
def test_the_look_ahead_test_catches_a_feature_with_look_ahead(
    compute: Callable[[Market], np.ndarray], market: Market
) -> None:
    with pytest.raises(AssertionError, match="peek_1 looks ahead"):
        bars_after_the_session_change_no_bit(Feature("returns", "stock", "peek_1", 2, "r_t+1", compute), market)


@pytest.mark.parametrize("horizon", [1, 5])
def test_the_look_ahead_test_catches_a_target_under_another_name(horizon: int, market: Market) -> None:
    def target(market: Market) -> np.ndarray:
        return forward_returns(market, [horizon])[0].astype(np.float64)

    disguised = Feature("returns", "stock", "momentum_next", 1, f"C_t+{horizon} / C_t − 1", target)
    with pytest.raises(AssertionError, match="momentum_next looks ahead"):
        bars_after_the_session_change_no_bit(disguised, market)


def test_the_lookback_test_catches_an_infinite_memory(market: Market) -> None:
    def smoothed(market: Market) -> np.ndarray:
        level_TS = market.close_TS.copy()
        for t in range(1, len(level_TS)):
            level_TS[t] = 0.9 * level_TS[t - 1] + 0.1 * level_TS[t]
        return level_TS

    with pytest.raises(AssertionError):
        bars_older_than_the_lookback_change_no_bit(
            Feature("technical", "stock", "ema", 60, "exponential mean", smoothed), market
        )


def the_unit_of_a_stocks_price_does_not_matter(feature: Feature, market: Market) -> None:
    """Twice the price and half the shares is the same market, as after a split before the first bar."""
    unit_S = np.where(np.arange(len(market.codes)) % 2, 2.0, 1.0)
    scaled = {name: getattr(market, name) * unit_S for name in PRICES}
    other = replace(market, volume_TS=market.volume_TS / unit_S, **scaled)
    np.testing.assert_allclose(feature.values(other), feature.values(market), rtol=1e-9, atol=1e-9)


TURNOVER_LEVEL = {feature.name for feature in EVERY if re.fullmatch(r"(log_turnover|amihud)_\d+", feature.name)}


def the_unit_of_traded_value_only_matters_for_its_level(feature: Feature, market: Market) -> None:
    double = replace(market, volume_TS=market.volume_TS * 2, turnover_TS=market.turnover_TS * 2)
    found, wanted = feature.values(double), feature.values(market)
    if feature.name in TURNOVER_LEVEL:
        step = np.log(2) if feature.name.startswith("log_turnover") else -np.log(2)
        wanted = wanted + step
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


@pytest.fixture(scope="module")
def split(make_frames: Callable[..., object]) -> tuple[Market, Market]:
    """A market, and the same market with a two-for-one split of stock 1315 in session 280."""
    frames = make_frames()
    day = frames.bars["Date"].unique().sort()[280]  # type: ignore[attr-defined]
    after = (pl.col("Code") == "1315") & (pl.col("Date") >= day)
    ex_date = (pl.col("Code") == "1315") & (pl.col("Date") == day)
    prices = pl.col("Open", "High", "Low", "Close")
    bars = frames.bars.with_columns(  # type: ignore[attr-defined]
        pl.when(after).then(prices / 2).otherwise(prices),
        pl.when(after).then(pl.col("Volume") * 2).otherwise(pl.col("Volume")),
        pl.when(ex_date).then(0.5).otherwise(1.0).alias("AdjustmentFactor"),
    )
    return frames.market(), frames.with_bars(bars).market()  # type: ignore[attr-defined]


def a_split_changes_nothing(feature: Feature, split: tuple[Market, Market]) -> None:
    whole, after_split = split
    np.testing.assert_array_equal(feature.values(after_split), feature.values(whole))


@pytest.fixture(scope="module")
def late(market: Market) -> Market:
    """A market in which stock 2 has its first bar in session 300."""
    changed = {name: getattr(market, name).copy() for name in SERIES if name != "index_T"}
    for values in changed.values():
        values[:300, 2] = np.nan
    return replace(market, **changed)


def a_stock_without_history_has_no_value(feature: Feature, late: Market) -> None:
    """With too little history the value is NaN, never 0."""
    if feature.scope == "session" or feature.lookback == 1 or feature.name.startswith("sector_"):
        return
    values = feature.values(late)[:, 2]
    assert np.isnan(values[:300]).all()
    first = np.flatnonzero(~np.isnan(values))
    needed = {1: 1, 2: 2}.get(feature.lookback, int(0.5 * feature.lookback))
    assert first.size == 0 or first[0] >= 300 + needed - 1


HOLED = {"open_TS": "ret_overnight_1", "high_TS": "range_1", "low_TS": "close_place_1", "volume_TS": "volume_change_1"}


@pytest.mark.parametrize(("series", "name"), HOLED.items())
def test_a_missing_value_in_a_bar_is_missing_in_the_features_that_need_it(
    series: str, name: str, market: Market
) -> None:
    values = getattr(market, series).copy()
    values[310, 4] = np.nan
    feature = next(feature for feature in EVERY if feature.name == name)
    holed = feature.values(replace(market, **{series: values}))
    assert np.isnan(holed[310, 4])
    assert np.isfinite(feature.values(market)[310, 4])
    assert np.isfinite(np.delete(holed[310], 4)).all()


COUNTS = {
    feature.name
    for feature in EVERY
    if feature.name.startswith(("since_", "low_before_")) or "up_share" in feature.name
}


def a_suspended_session_gives_no_zero(feature: Feature, market: Market) -> None:
    if feature.scope != "stock" or feature.name in COUNTS:
        return  # a middle rank and a count of sessions may be 0 in truth
    changed = {name: getattr(market, name).copy() for name in SERIES if name != "index_T"}
    for values in changed.values():
        values[310, 4] = np.nan
    holed, whole = feature.values(replace(market, **changed)), feature.values(market)
    assert not ((holed == 0) & (whole != 0)).any()


def every_value_is_finite_or_missing(feature: Feature, market: Market) -> None:
    """Including constant prices and no trade: zero ranges, zero variances, zero volumes."""
    changed = {name: getattr(market, name).copy() for name in SERIES}
    for name in PRICES:
        changed[name][:, 3] = 500.0
        changed[name][260:, 5] = changed["close_TS"][260:, 5]
    changed["volume_TS"][250:, 7] = changed["turnover_TS"][250:, 7] = 0.0
    changed["index_T"][200:] = 1000.0
    values = feature.values(replace(market, **changed))
    assert not np.isinf(values).any()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "holds",
    [
        bars_older_than_the_lookback_change_no_bit,
        the_lookback_is_not_overstated,
        bars_after_the_session_change_no_bit,
        the_start_of_the_history_changes_no_bit,
        the_unit_of_a_stocks_price_does_not_matter,
        the_unit_of_traded_value_only_matters_for_its_level,
        a_split_changes_nothing,
        a_stock_without_history_has_no_value,
        a_suspended_session_gives_no_zero,
        every_value_is_finite_or_missing,
    ],
    ids=lambda each: each.__name__ if callable(each) else each,
)
def test_every_feature_of_a_family(holds: Property, family: str, request: pytest.FixtureRequest) -> None:
    """A test for each of 395 features would take longer to collect than to run."""
    _, markets = inspect.signature(holds).parameters
    for feature in (feature for feature in EVERY if feature.family == family):
        try:
            holds(feature, request.getfixturevalue(markets))
        except AssertionError as error:
            error.add_note(f"of the feature {feature.name}")
            raise
