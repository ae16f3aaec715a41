from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from gogooku3.errors import DataError
from gogooku3.evaluation.market_state import LIQUIDITY_WINDOW, MIN_RETURNS, SETTLED, TREND, MarketState

from .conftest import sessions_of

T = 70
SESSIONS = sessions_of(T)
CODES = ("1301", "1302", "1303")
LISTED = pl.DataFrame({"Code": CODES, "Sector33": ["Foods", "Mining", None]}).with_columns(
    ListedTo=pl.lit(None, dtype=pl.Date)
)


def bars_of(close_TS: np.ndarray, value_TS: np.ndarray, factor_TS: np.ndarray | None = None) -> pl.DataFrame:
    factor_TS = np.ones_like(close_TS) if factor_TS is None else factor_TS
    row, column = np.nonzero(np.isfinite(close_TS))
    return pl.DataFrame(
        {
            "Date": SESSIONS[row],
            "Code": np.array(CODES)[column],
            "Close": close_TS[row, column],
            "Volume": np.full(len(row), 1e6),
            "TurnoverValue": value_TS[row, column],
            "AdjustmentFactor": factor_TS[row, column],
        }
    )


def index_of(level_T: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame({"Date": SESSIONS, "Close": level_T})


@pytest.fixture
def walk() -> np.ndarray:
    return 100 * np.exp(np.cumsum(0.01 * np.random.default_rng(0).standard_normal((T, 3)), axis=0))


def made(close_TS: np.ndarray, **changes: pl.DataFrame) -> MarketState:
    quotes = {
        "bars": bars_of(close_TS, 1e6 * np.ones_like(close_TS)),
        "listed": LISTED,
        "index": index_of(close_TS[:, 0]),
    }
    return MarketState.of_quotes(SESSIONS, CODES, **(quotes | changes))


def test_closes_run_through_a_split_without_a_jump(walk):
    as_traded, factor = walk.copy(), np.ones_like(walk)
    as_traded[30:, 1] /= 2
    factor[30, 1] = 0.5
    found = made(walk, bars=bars_of(as_traded, np.ones_like(walk), factor)).close_TS
    np.testing.assert_allclose(found[1:] / found[:-1], walk[1:] / walk[:-1])


def test_closes_run_through_two_splits_and_a_consolidation(walk):
    as_traded, factor = walk.copy(), np.ones_like(walk)
    for session, column, ratio in ((20, 1, 1 / 2), (45, 1, 1 / 3), (30, 2, 5.0)):
        as_traded[session:, column] *= ratio
        factor[session, column] = ratio
    found = made(walk, bars=bars_of(as_traded, np.ones_like(walk), factor)).close_TS
    np.testing.assert_allclose(found, walk)


def test_the_usual_value_is_the_mean_over_the_bars_of_the_last_sessions(walk):
    value = np.random.default_rng(1).uniform(1e6, 1e9, walk.shape)
    close = walk.copy()
    close[5:50, 2] = np.nan
    found = made(close, bars=bars_of(close, value)).traded_value_TS
    np.testing.assert_allclose(found[40, 0], value[40 - LIQUIDITY_WINDOW + 1 : 41, 0].mean())
    np.testing.assert_allclose(found[3, 0], value[:4, 0].mean())
    np.testing.assert_allclose(found[10, 2], value[:5, 2].mean())
    assert np.isnan(found[30, 2])
    np.testing.assert_allclose(found[60, 2], value[50:61, 2].mean())


def test_trend_and_volatility_of_the_index_look_back_alone(walk):
    found = made(walk)
    log_index = np.log(walk[:, 0])
    np.testing.assert_allclose(found.trend_T[TREND:], log_index[TREND:] - log_index[:-TREND])
    assert np.isnan(found.trend_T[:TREND]).all()
    np.testing.assert_allclose(found.volatility_T[40], np.diff(log_index)[40 - LIQUIDITY_WINDOW : 40].std(ddof=1))
    assert np.isnan(found.volatility_T[:LIQUIDITY_WINDOW]).all()
    np.testing.assert_allclose(found.next_index_return_T[:-1], walk[1:, 0] / walk[:-1, 0] - 1)
    assert np.isnan(found.next_index_return_T[-1])
    cut = walk.copy()
    cut[51:] = 1.0
    later = made(cut)
    for name in ("trend_T", "volatility_T"):
        np.testing.assert_array_equal(getattr(later, name)[:51], getattr(found, name)[:51])


def test_a_session_without_a_level_is_unknown_and_not_a_fall_to_nothing(walk):
    found = made(walk, index=index_of(walk[:, 0]).filter(pl.col("Date") != SESSIONS[10].item()))
    assert np.isnan(found.next_index_return_T[[9, 10]]).all()
    assert np.isfinite(found.next_index_return_T[[8, 11]]).all()


def test_sectors_stand_by_stock_and_rows_are_cut_together(walk):
    found = made(walk)
    assert found.sectors == ("Foods", "Mining", "")
    part = found.rows(10, 15)
    np.testing.assert_array_equal(part.close_TS, found.close_TS[10:15])
    np.testing.assert_array_equal(part.next_index_return_T, found.next_index_return_T[10:15])
    assert np.isfinite(part.next_index_return_T[-1])


def test_a_stock_with_bars_that_the_dataset_left_out_is_named(walk):
    """Survivorship bias: the delisted stock is not among the scored stocks."""
    bars = bars_of(walk, np.ones_like(walk))
    with pytest.raises(DataError, match=rf"{T} bars .* of 1 stocks such as 1302, are not in the dataset"):
        MarketState.of_quotes(SESSIONS, ("1301", "1303"), bars, LISTED, index_of(walk[:, 0]))
    with pytest.raises(DataError, match=r"3 bars .* of 3 stocks"):
        MarketState.of_quotes(SESSIONS[:-1], CODES, bars, LISTED, index_of(walk[:, 0]))


def test_a_bar_without_a_close_is_no_bar(walk):
    bars = bars_of(walk, np.ones_like(walk))
    hole = (pl.col("Code") == "1301") & (pl.col("Date") == date(2023, 5, 3))
    found = made(walk, bars=bars.with_columns(pl.when(~hole).then("Close")))
    assert np.isnan(found.close_TS[2, 0])
    assert np.isfinite(found.close_TS).sum() == 3 * T - 1


def test_a_bar_without_volume_is_a_price_and_no_trade(walk):
    day = pl.col("Date") == date(2023, 5, 3)
    volume = pl.when(day & (pl.col("Code") == "1301")).then(0.0).when(day & (pl.col("Code") == "1303")).then(None)
    bars = bars_of(walk, np.ones_like(walk)).with_columns(Volume=volume.otherwise(1e6))
    prices = made(walk, bars=bars).prices
    assert np.argwhere(~prices.buyable_TS).tolist() == [[2, 0]]
    np.testing.assert_allclose(prices.next_return_TS[1:3, 0], walk[2:4, 0] / walk[1:3, 0] - 1)


def test_a_stocks_volatility_is_that_of_the_returns_between_its_last_bars(walk):
    close = walk.copy()
    close[30:34, 1] = np.nan
    close[4:50, 2] = np.nan
    found = made(close).stock_volatility_TS
    returns = walk[1:] / walk[:-1] - 1
    np.testing.assert_allclose(found[25, 0], returns[5:25, 0].std(ddof=1))
    across = np.append(returns[20:29, 1], [walk[34, 1] / walk[29, 1] - 1, *returns[34:40, 1]])
    np.testing.assert_allclose(found[40, 1], across.std(ddof=1))
    assert np.isnan(found[:MIN_RETURNS, :2]).all()
    assert np.isnan(found[10:50, 2]).all()
    later = made(np.where(np.arange(T)[:, None] > 40, 1.0, close)).stock_volatility_TS
    np.testing.assert_array_equal(later[:41], found[:41])


def test_restrictions_stand_by_session_and_stock(walk):
    rows = [("1301", 3, True, False, False), ("1302", 3, False, True, True), ("1303", 5, False, False, True)]
    restrictions = pl.DataFrame(
        [(code, SESSIONS[t].item(), *marks) for code, t, *marks in rows],
        schema=["Code", "Date", "NoBuy", "NoSell", "NoShort"],
        orient="row",
    )
    prices = made(walk, restrictions=restrictions).prices
    assert prices.shortable_TS is not None
    found = [np.argwhere(~each).tolist() for each in (prices.buyable_TS, prices.sellable_TS, prices.shortable_TS)]
    assert found == [[[3, 0]], [[3, 1]], [[3, 1], [5, 2]]]
    assert made(walk).prices.shortable_TS is None


def listed_until(*sessions: int | None) -> pl.DataFrame:
    ends = [None if session is None else SESSIONS[session].item() for session in sessions]
    return LISTED.with_columns(ListedTo=pl.Series(ends, dtype=pl.Date))


def test_a_listing_that_ends_is_a_delisting_at_the_next_session(walk):
    close = walk.copy()
    close[28:, 1] = np.nan
    found = made(close, listed=listed_until(None, 30, None)).prices
    assert found.delisting_in_TS[:33, 1].tolist() == [*range(31, 0, -1), 0, 0]
    np.testing.assert_allclose(found.final_return_TS[20, 1], walk[27, 1] / walk[20, 1] - 1)
    assert not found.delisting_in_TS[:, [0, 2]].any()


def test_a_listing_that_ends_with_the_data_is_no_delisting(walk):
    """Stocks that are suspended at the end of the data, and whose source takes the last bar for the end."""
    last = T - 1 - SETTLED
    close = walk.copy()
    close[last + 2 :, 0] = close[last + 1 :, 1] = np.nan
    found = made(close, listed=listed_until(last + 1, last, None), index=index_of(walk[:, 2])).prices
    assert not found.delisting_in_TS[:, 0].any()
    assert found.delisting_in_TS[last, 1] == 1
