"""No look-ahead bias in any feature: the stages `quotes` and `dataset` with and without future data.

On the synthetic market, generated until an earlier day, and on real bars from a truncated file.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from dvc.utils.hydra import compose_and_dump

from gogooku3 import config
from gogooku3.config import Params
from gogooku3.dataset.elementwise import Floats
from gogooku3.features import registry
from gogooku3.features.feature import Feature
from gogooku3.features.market import Market
from gogooku3.stages import dataset, quotes

from .conftest import ROOT

REAL = ROOT.parent / "shared" / "data" / "sp500_5yr.parquet"
EVERY = 5
"""Every n-th code is used: about a hundred stocks."""

SYNTHETIC_SETTINGS = [
    "quotes.stocks=60",
    "quotes.end=2023-03-31",
    "dataset.features=full",
    "dataset.split.validation_from=2021-12-01",
    "dataset.split.test_from=2022-03-01",
]
FILE_SETTINGS = [
    "quotes=file",
    "quotes.inputs.bars=bars.parquet",
    "quotes.bar_columns={Code: code, Date: date, Open: open, High: high, Low: low, Close: close, Volume: volume}",
    "quotes.listed_columns.Sector33=sector",
    "quotes.rules.missing_value=drop",
    "quotes.rules.high_below_low=drop",
    "quotes.rules.outside_range=drop",
    "dataset.features=full",
    "dataset.split.train_from=2013-02-08",
    "dataset.split.validation_from=2014-05-01",
    "dataset.split.test_from=2014-08-01",
]

MID_MONTH, MONTH_END, BEFORE_THE_LAST_OF_A_MONTH = date(2014, 10, 15), date(2015, 10, 30), date(2017, 6, 29)
CUTS = (MID_MONTH, MONTH_END, BEFORE_THE_LAST_OF_A_MONTH)

on_real_bars = pytest.mark.skipif(not REAL.exists(), reason="the real bars, ../shared/data, are not on this machine")


@pytest.fixture(scope="module")
def bars() -> pl.DataFrame:
    bars = pl.read_parquet(REAL)
    return bars.filter(pl.col("code").is_in(bars["code"].unique().sort().gather_every(EVERY).to_list()))


def composed(settings: list[str], folder: Path) -> Params:
    """The demo's parameters with changes, composed as by `dvc exp run -S …`."""
    compose_and_dump(folder / "params.yaml", str(ROOT / "conf"), None, "config", str(ROOT), settings)
    return config.load(folder / "params.yaml")


def made(params: Params, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The feature and graph files of the two stages in a folder, by kind and month."""
    monkeypatch.chdir(folder)
    quotes.run(params)
    dataset.run(params)
    root = folder / "data/dataset"
    return {
        path.relative_to(root).with_suffix("").as_posix(): path.read_bytes()
        for kind in ("features", "graph")
        for path in sorted((root / kind).iterdir())
    }


def made_of(bars: pl.DataFrame, params: Params, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    folder.mkdir()
    bars.write_parquet(folder / "bars.parquet")
    return made(params, folder, monkeypatch)


def complete_months(bars: pl.DataFrame, day: date) -> list[str]:
    """The months that are complete at the close of a day."""
    last = bars.group_by(month=pl.col("date").dt.strftime("%Y-%m")).agg(pl.col("date").max()).sort("month")
    return last.filter(pl.col("date") <= day)["month"].to_list()


def differing(whole: dict[str, bytes], cut: dict[str, bytes], months: list[str]) -> list[str]:
    """The files of some months that differ."""
    names = [f"{kind}/{month}" for kind in ("features", "graph") for month in months]
    return [name for name in names if whole.get(name) != cut.get(name)]


@pytest.fixture
def params(tmp_path: Path) -> Params:
    return composed(FILE_SETTINGS, tmp_path)


@on_real_bars
@pytest.mark.slow
def test_bars_after_a_cut_change_no_byte_of_the_complete_months_before_it(
    bars: pl.DataFrame, params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = made_of(bars, params, tmp_path / "whole", monkeypatch)
    for day in CUTS:
        cut = made_of(bars.filter(pl.col("date") <= day), params, tmp_path / str(day), monkeypatch)
        months = complete_months(bars, day)
        assert all(f"features/{month}" in cut for month in months)
        assert differing(whole, cut, months) == [], day
        of_the_cut = f"{day:%Y-%m}"
        assert (of_the_cut in months) == (day == MONTH_END)
        assert (whole[f"features/{of_the_cut}"] == cut[f"features/{of_the_cut}"]) == (day == MONTH_END)


@on_real_bars
def test_the_cuts_take_away_stocks_and_not_only_sessions(bars: pl.DataFrame) -> None:
    assert bars["code"].n_unique() == 101
    stocks = [bars.filter(pl.col("date") <= day)["code"].n_unique() for day in CUTS]
    assert stocks == [100, 100, 101]  # CSRA is listed later


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "last"), [("2022-06-15", "2022-05"), ("2022-07-29", "2022-07"), ("2022-12-29", "2022-11")]
)
def test_a_synthetic_market_that_ends_earlier_has_the_same_bytes_in_its_complete_months(
    end: str, last: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Listings, delistings, suspensions and splits happen on both sides of the cut."""
    folders = [tmp_path / "whole", tmp_path / "cut"]
    for folder in folders:
        folder.mkdir()
    whole = made(composed(SYNTHETIC_SETTINGS, folders[0]), folders[0], monkeypatch)
    cut = made(composed([*SYNTHETIC_SETTINGS, f"quotes.end={end}"], folders[1]), folders[1], monkeypatch)
    months = [name.removeprefix("features/") for name in whole if name.startswith("features/") and name[9:] <= last]
    assert len(months) == 12 * (int(last[:4]) - 2021) + int(last[5:]) + 6
    assert differing(whole, cut, months) == []
    assert (differing(whole, cut, [end[:7]]) == []) == (end[:7] == last)


@on_real_bars
def test_that_check_catches_a_feature_that_peeks(
    bars: pl.DataFrame, params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tomorrow(market: Market) -> Floats:
        ahead_TS = np.full(market.close_TS.shape, np.nan)
        ahead_TS[:-1] = market.return_TS[1:]
        return ahead_TS

    peeking = Feature("returns", "stock", "ret_ahead", 2, "r_t+1", tomorrow)
    monkeypatch.setattr(registry, "FAMILIES", {"returns": (*registry.FAMILIES["returns"], peeking)})
    whole = made_of(bars, params, tmp_path / "whole", monkeypatch)
    cut = made_of(bars.filter(pl.col("date") <= MONTH_END), params, tmp_path / "cut", monkeypatch)
    assert differing(whole, cut, complete_months(bars, MONTH_END)) == ["features/2015-10"]
