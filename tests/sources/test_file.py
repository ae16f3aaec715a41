"""The file source: bars from a parquet or CSV file in the quotes schema."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from gogooku3.config.quotes import FileQuotes
from gogooku3.errors import DataError
from gogooku3.sources.source import make

Params = Callable[..., FileQuotes]
Write = Callable[[pl.DataFrame], Path]


def test_parquet_and_csv_give_the_same_quotes(bars: pl.DataFrame, file_params: Params, tmp_path: Path) -> None:
    bars.write_parquet(tmp_path / "bars.parquet")
    bars.write_csv(tmp_path / "bars.csv")
    from_parquet = make(file_params(tmp_path / "bars.parquet"))
    from_csv = make(file_params(tmp_path / "bars.csv"))
    assert from_parquet.bars.equals(from_csv.bars)
    assert from_parquet.index.equals(from_csv.index)
    assert from_parquet.bars.select(bars.columns).equals(bars.sort("Date", "Code"))
    assert from_parquet.oracle is None


def test_columns_have_the_files_own_names(bars: pl.DataFrame, file_params: Params, write_bars: Write) -> None:
    own = {name: name.lower() for name in bars.columns}
    path = write_bars(bars.rename(own))
    made = make(file_params(path, bar_columns=own, listed_columns={"Code": "code"}))
    assert made.bars.select(bars.columns).equals(bars.sort("Date", "Code"))


def test_a_missing_turnover_is_close_times_volume_and_a_missing_factor_is_one(
    bars: pl.DataFrame, file_params: Params, write_bars: Write
) -> None:
    made = make(file_params(write_bars(bars)))
    assert made.bars["TurnoverValue"].equals((made.bars["Close"] * made.bars["Volume"]).alias("TurnoverValue"))
    assert (made.bars["AdjustmentFactor"] == 1).all()


def test_turnover_and_factors_of_the_file_are_used(bars: pl.DataFrame, file_params: Params, write_bars: Write) -> None:
    given = bars.with_columns(
        value=pl.Series([1.0, None, 3.0, 4.0, 5.0, 6.0]), factor=pl.Series([None, 0.5] + [1.0] * 4)
    )
    made = make(file_params(write_bars(given), bar_columns={"TurnoverValue": "value", "AdjustmentFactor": "factor"}))
    of_1301 = made.bars.filter(Code="1301")
    assert of_1301["TurnoverValue"].to_list() == [1.0, 101.0 * 1100.0, 3.0]
    assert of_1301["AdjustmentFactor"].to_list() == [1.0, 0.5, 1.0]


@pytest.mark.parametrize("factor", [0.0, -0.5])
def test_a_factor_that_is_not_positive_is_refused(
    bars: pl.DataFrame, file_params: Params, write_bars: Write, factor: float
) -> None:
    path = write_bars(bars.with_columns(factor=pl.lit(factor)))
    with pytest.raises(DataError, match=rf"`factor` has {factor} for 1301 on 2024-01-04 \(6 such rows\)"):
        make(file_params(path, bar_columns={"AdjustmentFactor": "factor"}))


def test_dropping_a_bar_with_a_split_is_an_error(bars: pl.DataFrame, file_params: Params, write_bars: Write) -> None:
    split = bars.with_columns(
        factor=pl.Series([1.0, 0.5, 1.0, 1.0, 1.0, 1.0]), Volume=pl.Series([1000.0, -1.0, 900.0, 500.0, 0.0, 700.0])
    )
    changes = {"bar_columns": {"AdjustmentFactor": "factor"}, "rules": {"negative_volume": "drop"}}
    with pytest.raises(DataError, match="drop 1 bars with a split, such as 1301 on 2024-01-05"):
        make(file_params(write_bars(split), **changes))


def test_bars_before_the_start_are_excluded_and_after_the_end_break_a_rule(
    bars: pl.DataFrame, file_params: Params, write_bars: Write
) -> None:
    path = write_bars(bars)
    late = make(file_params(path, start=date(2024, 1, 5)))
    assert late.bars["Date"].min() == date(2024, 1, 5)
    assert late.listed["ListedFrom"].to_list() == [date(2024, 1, 5)] * 2
    with pytest.raises(DataError, match="future_date: 2 rows"):
        make(file_params(path, end=date(2024, 1, 8)))
    early = make(file_params(path, end=date(2024, 1, 8), rules={"future_date": "drop"}))
    assert early.bars["Date"].max() == date(2024, 1, 5)
    assert early.index["Date"].max() == date(2024, 1, 5)


def test_one_stock_is_too_few(bars: pl.DataFrame, file_params: Params, write_bars: Write) -> None:
    with pytest.raises(DataError, match="has 1 stocks"):
        make(file_params(write_bars(bars.filter(Code="1301"))))
    with pytest.raises(DataError, match="has 0 stocks"):
        make(file_params(write_bars(bars), start=date(2030, 1, 1)))


def test_a_stock_whose_bars_end_early_counts_as_delisted(
    bars: pl.DataFrame, file_params: Params, write_bars: Write
) -> None:
    made = make(file_params(write_bars(bars[[0, 1, 4, 5]])))
    assert made.listed.rows() == [
        ("1301", "all", "all", date(2024, 1, 4), date(2024, 1, 5)),
        ("1332", "all", "all", date(2024, 1, 5), None),
    ]


def test_sectors_come_from_the_bars_file_and_the_last_of_several_applies(
    bars: pl.DataFrame, file_params: Params, write_bars: Write
) -> None:
    path = write_bars(bars.with_columns(sector=pl.Series(["Foods", "Foods", "Mining", None, "Banks", None])))
    made = make(file_params(path, listed_columns={"Sector33": "sector"}))
    assert made.listed["Sector33"].to_list() == ["Mining", "Banks"]
    assert made.listed["MarketSegment"].to_list() == ["all", "all"]
    assert made.report["listed"] == {
        "Sector33": {"unknown": 0, "changed": 1},
        "MarketSegment": {"unknown": 0, "changed": 0},
    }


def test_a_separate_listing_may_lack_stocks_and_have_others(
    bars: pl.DataFrame, file_params: Params, write_bars: Write, tmp_path: Path
) -> None:
    listing = tmp_path / "listed.csv"
    listing.write_text("ticker,sector,segment\n1301,Foods,Prime\n9999,Mining,Growth\n9999,Banks,Growth\n")
    columns = {"Code": "ticker", "Sector33": "sector", "MarketSegment": "segment"}
    made = make(file_params(write_bars(bars), listed=listing, listed_columns=columns))
    assert made.listed.select("Code", "Sector33", "MarketSegment").rows() == [
        ("1301", "Foods", "Prime"),
        ("1332", "unknown", "unknown"),
    ]
    assert made.report["listed"]["Sector33"] == {"unknown": 1, "changed": 0}


def test_a_separate_index_is_restricted_to_the_sessions_of_the_bars(
    bars: pl.DataFrame, file_params: Params, write_bars: Write, tmp_path: Path
) -> None:
    index = tmp_path / "index.csv"
    index.write_text("Date,Close\n2024-01-10,4\n2024-01-09,3\n2024-01-05,2\n2024-01-04,1\n")
    made = make(file_params(write_bars(bars), index=index))
    assert made.index.rows() == [(date(2024, 1, 4), 1.0), (date(2024, 1, 5), 2.0), (date(2024, 1, 9), 3.0)]


@pytest.mark.parametrize(
    "rows", ["2024-01-04,1", "2024-01-04,1\n2024-01-05,2\n2024-01-05,2\n2024-01-09,1", "2024-01-04,1\n2024-01-05,0"]
)
def test_an_index_that_does_not_match_the_bars_is_refused(
    bars: pl.DataFrame, file_params: Params, write_bars: Write, tmp_path: Path, rows: str
) -> None:
    index = tmp_path / "index.csv"
    index.write_text(f"Date,Close\n{rows}\n")
    with pytest.raises(DataError, match="2 rows are missing, duplicate or not positive, such as 2024-01-05"):
        make(file_params(write_bars(bars), index=index))


def test_the_equal_weight_index_chains_the_mean_adjusted_return_from_a_thousand(
    bars: pl.DataFrame, file_params: Params, write_bars: Write
) -> None:
    made = make(file_params(write_bars(bars)))
    second = 1000 * (1 + ((101 / 102 - 1) + (49 / 51 - 1)) / 2)
    third = second * (1 + ((99 / 101 - 1) + (48 / 49 - 1)) / 2)
    assert made.index["Close"].to_list() == pytest.approx([1000, second, third], rel=1e-14)


def test_the_equal_weight_index_handles_splits_and_gaps(
    bars: pl.DataFrame, file_params: Params, write_bars: Write
) -> None:
    """1301 splits two for one on a day without a close: its next return runs from its last close, adjusted."""
    split = bars.with_columns(
        factor=pl.Series([1.0, 0.5, 1.0, 1.0, 1.0, 1.0]), Close=pl.Series([102.0, None, 49.5, 51.0, 49.0, 48.0])
    )
    changes = {"bar_columns": {"AdjustmentFactor": "factor"}}
    rules = {"missing_value": "keep", "outside_range": "keep"}
    made = make(file_params(write_bars(split), **changes, rules=rules))
    second = 1000 * 49 / 51
    third = second * (1 + ((49.5 / 51 - 1) + (48 / 49 - 1)) / 2)
    assert made.index["Close"].to_list() == pytest.approx([1000, second, third], rel=1e-14)


def test_the_equal_weight_index_runs_through_two_splits_of_a_stock(
    bars: pl.DataFrame, file_params: Params, write_bars: Write
) -> None:
    split = bars.with_columns(
        pl.Series("Close", [102.0, 51.0, 17.0, 51.0, 49.0, 48.0]), factor=pl.Series([1.0, 1 / 2, 1 / 3, 1.0, 1.0, 1.0])
    )
    rules = {"outside_range": "keep"}
    made = make(file_params(write_bars(split), bar_columns={"AdjustmentFactor": "factor"}, rules=rules))
    second = 1000 * (1 + (49 / 51 - 1) / 2)
    third = second * (1 + (48 / 49 - 1) / 2)
    assert made.index["Close"].to_list() == pytest.approx([1000, second, third], rel=1e-12)
