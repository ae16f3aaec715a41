from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from datetime import date
from pathlib import Path

import exchange_calendars
import numpy as np
import polars as pl
import pytest
from pydantic import TypeAdapter

from gogooku3.config.quotes import SyntheticQuotes
from gogooku3.errors import ConfigError
from gogooku3.quotes.schema import Quotes
from gogooku3.sources.source import make
from gogooku3.sources.synthetic import universe

Params = Callable[..., SyntheticQuotes]


def adjusted(bars: pl.DataFrame) -> pl.DataFrame:
    """Bars with the return since the stock's bar before, as traded and as adjusted."""
    before = pl.col("Close").shift().over("Code")
    return bars.with_columns(
        traded=pl.col("Close") / before - 1,
        adjusted=pl.col("Close") / (before * pl.col("AdjustmentFactor")) - 1,
    )


def test_sessions_are_those_of_the_tokyo_exchange(market: Quotes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        calendar = exchange_calendars.get_calendar("XTKS", start="2019-01-01", end="2025-06-30")
    expected = [day.date() for day in calendar.sessions_in_range("2020-07-01", "2023-12-29")]
    assert market.index["Date"].to_list() == expected
    assert market.bars["Date"].unique().sort().to_list() == expected
    # The outage of the exchange, the holiday moved for the Olympic Games, and the first days of a year.
    assert not {date(2020, 10, 1), date(2021, 7, 22), date(2023, 1, 3)} & set(expected)


def test_bars_break_no_rule_and_the_report_says_so(market: Quotes) -> None:
    bars = market.bars
    assert (bars["Low"] > 0).all()
    assert (bars["Low"] <= bars.select(pl.min_horizontal("Open", "Close")).to_series()).all()
    assert (bars["High"] >= bars.select(pl.max_horizontal("Open", "Close")).to_series()).all()
    assert bars.select("Date", "Code").is_duplicated().sum() == 0
    assert bars.null_count().sum_horizontal().item() == 0
    assert len(market.report["rules"]) == 8
    assert all(entry["count"] == 0 for entry in market.report["rules"].values())


def test_prices_are_multiples_of_the_tick_and_volumes_of_the_lot(market: Quotes) -> None:
    for name in ("Open", "High", "Low", "Close"):
        assert market.bars[name].equals(market.bars[name].round(1))
    assert (market.bars["Volume"] % 100 == 0).all()
    assert (market.bars["Volume"] >= 100).all()
    typical = market.bars.select((pl.col("High") + pl.col("Low") + pl.col("Close")) / 3 * pl.col("Volume")).to_series()
    assert (market.bars["TurnoverValue"] - typical).abs().max() <= 0.5 + 1e-6


def test_codes_are_sorted_unique_and_of_four_digits(market: Quotes) -> None:
    codes = market.listed["Code"]
    assert codes.len() == 120
    assert codes.is_sorted()
    assert codes.is_unique().all()
    assert codes.str.contains(r"^[1-9]\d{3}$").all()


def test_no_bar_is_outside_a_listing_and_each_listing_ends_with_bars(synthetic: Params) -> None:
    market = make(synthetic(suspended=0.4))
    lives = market.bars.group_by("Code").agg(first=pl.col("Date").min(), last=pl.col("Date").max())
    listed = market.listed.join(lives, on="Code")
    assert listed.height == market.listed.height
    assert (listed["first"] >= listed["ListedFrom"]).all()
    late = listed.filter(pl.col("ListedFrom") > date(2020, 7, 1))
    gone = listed.filter(pl.col("ListedTo").is_not_null())
    assert late.height == round(0.08 * 120)
    assert gone.height == round(0.05 * 120)
    assert (late["first"] == late["ListedFrom"]).all()
    assert (gone["last"] == gone["ListedTo"]).all()
    assert (gone["ListedTo"] < market.index["Date"].max()).all()


def test_the_share_of_missing_bars_is_that_of_the_config(synthetic: Params) -> None:
    made = make(synthetic(suspended=0.05, listed_later=0.0, delisted=0.0))
    slots = 120 * made.index.height
    missing = 1 - made.bars.height / slots
    assert missing == pytest.approx(0.05, abs=4 * (0.05 * 0.95 / slots) ** 0.5)


def test_a_split_moves_the_traded_price_and_not_the_adjusted_one(synthetic: Params) -> None:
    made = make(synthetic(splits=1.0))
    splits = adjusted(made.bars).filter(pl.col("AdjustmentFactor") != 1)
    years = made.index.height / 245
    assert splits.height == pytest.approx(120 * years, rel=0.2)
    assert set(splits["AdjustmentFactor"].unique()) == {1 / 2, 1 / 3, 1 / 5}
    assert (splits["traded"] < -0.3).all()
    assert splits["adjusted"].abs().max() < 0.3
    assert splits["adjusted"].abs().mean() < 0.03


def test_volume_is_rescaled_with_the_split(synthetic: Params) -> None:
    made = make(synthetic(splits=1.0))
    change = made.bars.with_columns(
        change=(pl.col("Volume") / pl.col("Volume").shift().over("Code") * pl.col("AdjustmentFactor")).log()
    ).filter(pl.col("AdjustmentFactor") != 1)
    assert abs(change["change"].mean()) < 4 * change["change"].std() / change.height**0.5


def test_expensive_stocks_split_more_often(synthetic: Params) -> None:
    made = make(synthetic(splits=1.0))
    before = made.bars.with_columns(before=pl.col("Close").shift().over("Code")).drop_nulls()
    assert before.filter(pl.col("AdjustmentFactor") != 1)["before"].median() > 1.3 * before["before"].median()


def test_there_are_no_splits_at_rate_zero(synthetic: Params) -> None:
    assert (make(synthetic(splits=0.0)).bars["AdjustmentFactor"] == 1).all()


def test_a_longer_market_has_the_same_past(synthetic: Params) -> None:
    short, long = make(synthetic(end=date(2022, 5, 13))), make(synthetic())
    last = date(2022, 5, 13)
    assert short.bars.equals(long.bars.filter(pl.col("Date") <= last))
    assert short.index.equals(long.index.filter(pl.col("Date") <= last))
    assert short.oracle is not None
    assert long.oracle is not None
    assert short.oracle.scores.equals(long.oracle.scores.filter(pl.col("Date") <= last))


def test_another_seed_gives_another_market(synthetic: Params, market: Quotes) -> None:
    other = make(synthetic(seed=8))
    assert not other.index.equals(market.index)


SCRIPT = """
import sys
import warnings
from pathlib import Path
from gogooku3.sources.source import make
from gogooku3.quotes.folder import write
from gogooku3.quotes.schema import Quotes
from pydantic import TypeAdapter
from gogooku3.config.quotes import SyntheticQuotes
write(make(TypeAdapter(SyntheticQuotes).validate_json(sys.argv[1])), Path(sys.argv[2]))
"""


def test_bytes_depend_neither_on_threads_nor_on_hashes_time_zone_or_locale(synthetic: Params, tmp_path: Path) -> None:
    params = synthetic(end=date(2021, 3, 31))
    given = TypeAdapter(SyntheticQuotes).dump_json(params).decode()
    folders = []
    for number, setting in enumerate(
        (
            {"POLARS_MAX_THREADS": "1", "PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8"},
            {"POLARS_MAX_THREADS": "4", "PYTHONHASHSEED": "2", "TZ": "America/New_York", "LC_ALL": "C"},
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        subprocess.run([sys.executable, "-c", SCRIPT, given, str(folder)], env=os.environ | setting, check=True)
        folders.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert len(folders[0]) == 6
    assert folders[0] == folders[1]


def test_a_market_without_sessions_is_refused(synthetic: Params) -> None:
    with pytest.raises(ConfigError, match="no session"):
        make(synthetic(start=date(2023, 12, 30), end=date(2024, 1, 3)))


def test_a_market_before_the_calendar_is_refused(synthetic: Params) -> None:
    with pytest.raises(ConfigError, match="no calendar"):
        make(synthetic(start=date(1950, 1, 1)))


def test_more_stocks_than_codes_are_refused(synthetic: Params) -> None:
    with pytest.raises(ConfigError, match=r"quotes\.stocks"):
        make(synthetic(stocks=8700))


@pytest.mark.parametrize(("stocks", "sectors", "size"), [(2, 1, 1), (5, 33, 3), (100, 7, 6), (33, 33, 1)])
def test_clusters_are_within_sectors_and_keep_their_size(
    synthetic: Params, stocks: int, sectors: int, size: int
) -> None:
    drawn = universe.draw(synthetic(stocks=stocks, sectors=sectors, cluster_size=size))
    assert len(np.unique(drawn.sector_S)) == min(sectors, stocks)
    assert np.bincount(drawn.cluster_S).max() <= size
    for cluster in np.unique(drawn.cluster_S):
        assert len(np.unique(drawn.sector_S[drawn.cluster_S == cluster])) == 1


def test_the_smallest_market_is_made(synthetic: Params) -> None:
    made = make(synthetic(stocks=2, sectors=1, cluster_size=1, listed_later=0.0, delisted=0.0))
    assert made.bars["Code"].n_unique() == 2
