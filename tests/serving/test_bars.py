"""Bars of an evening are read as the release's quotes stage reads them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from gogooku3.config import Params
from gogooku3.errors import ConfigError, DataError
from gogooku3.serving.bars import BarFiles, read

from .conftest import RELEASED, Market

EVENING = date(2030, 1, 1)


def test_a_folder_and_its_files_give_the_same_history(market: Market, tmp_path: Path, demo: Params) -> None:
    known = market.until(RELEASED)
    folder = known.write(tmp_path / "quotes")
    whole = read(BarFiles(folder), market.params.quotes, EVENING)
    files = BarFiles(*(folder / f"{name}.parquet" for name in ("bars", "listed", "index")))
    for params in (market.params.quotes, demo.quotes):  # of a release from files, and from the synthetic market
        own = read(files, params, EVENING)
        assert own.bars.collect().equals(whole.bars.collect())
        assert own.index.equals(whole.index)


def test_a_csv_without_optional_columns_is_read(market: Market, tmp_path: Path, demo: Params) -> None:
    folder = market.until(RELEASED).write(tmp_path / "quotes")
    bars = market.until(RELEASED).bars.drop("TurnoverValue", "AdjustmentFactor")
    bars.write_csv(tmp_path / "bars.csv")
    files = BarFiles(tmp_path / "bars.csv", folder / "listed.parquet", folder / "index.parquet")
    made = read(files, demo.quotes, EVENING).bars.collect()
    assert made["AdjustmentFactor"].unique().to_list() == [1.0]
    assert made["TurnoverValue"].to_list() == (made["Close"] * made["Volume"]).to_list()


def test_a_missing_listing_and_a_missing_file_are_told(market: Market, tmp_path: Path) -> None:
    bars = market.until(RELEASED).write(tmp_path / "quotes") / "bars.parquet"
    with pytest.raises(ConfigError, match=r"quotes\.inputs\.listed") as error:
        read(BarFiles(bars), market.params.quotes, EVENING)
    assert "--listed FILE" in error.value.hint
    files = BarFiles(tmp_path / "none.parquet", bars, bars)
    with pytest.raises(DataError, match="does not exist"):
        read(files, market.params.quotes, EVENING)


def test_bars_of_the_future_break_the_releases_rule(market: Market, tmp_path: Path) -> None:
    folder = market.until(RELEASED).write(tmp_path / "quotes")
    files = BarFiles(*(folder / f"{name}.parquet" for name in ("bars", "listed", "index")))
    with pytest.raises(DataError, match="future_date"):
        read(files, market.params.quotes, market.days[RELEASED - 3])
