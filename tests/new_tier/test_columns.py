"""Columns are recognised by usual names, whatever their case and separators."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from gogooku3.errors import ConfigError, DataError
from gogooku3.new_tier.columns import BARS, LISTED, recognise


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_usual_names_are_recognised(bars: pl.DataFrame, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"bars.{ending}"
    bars.write_parquet(path) if ending == "parquet" else bars.write_csv(path)
    assert recognise(path, BARS) == {
        "Code": "Ticker",
        "Date": "Trade Date",
        "Open": "open_price",
        "High": "High",
        "Low": "LOW",
        "Close": "Close",
        "Volume": "Vol",
        "TurnoverValue": None,
        "AdjustmentFactor": None,
    }
    assert recognise(path, LISTED) == {"Code": "Ticker", "Sector33": "GICS Sector", "MarketSegment": None}


def test_a_stated_name_replaces_the_usual_one(bars: pl.DataFrame, tmp_path: Path) -> None:
    bars.write_parquet(tmp_path / "bars.parquet")
    assert recognise(tmp_path / "bars.parquet", BARS, {"Close": "Adj Close"})["Close"] == "Adj Close"
    with pytest.raises(ConfigError, match="no column `Last`; it has `Trade Date`"):
        recognise(tmp_path / "bars.parquet", BARS, {"Close": "Last"})
    with pytest.raises(ConfigError, match="`Price` is not a column of bars"):
        recognise(tmp_path / "bars.parquet", BARS, {"Price": "Close"})


def test_a_column_that_is_not_recognised_is_named(bars: pl.DataFrame, tmp_path: Path) -> None:
    bars.rename({"Vol": "shares"}).write_csv(tmp_path / "bars.csv")
    with pytest.raises(DataError, match="recognised as Volume; it has `Trade Date`") as error:
        recognise(tmp_path / "bars.csv", BARS)
    assert "`--column Volume=" in error.value.hint


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [("none.csv", None, "does not exist"), ("bars.xlsx", b"", "neither"), ("bars.parquet", b"x", "cannot be read as")],
)
def test_an_unusable_file_is_one_error(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said):
        recognise(tmp_path / name, BARS)
