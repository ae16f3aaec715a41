"""Fixtures: a small market of random bars, and the parameters of a small dataset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gogooku3.assembly.build import build
from gogooku3.assembly.history import History
from gogooku3.config.dataset import Dataset, Graph, Joined, Split
from gogooku3.features.market import Market
from gogooku3.sources.source import make

from ..sources.conftest import file_quotes

REAL = Path(__file__).parents[3] / "shared" / "data" / "sp500_5yr.parquet"
SESSIONS = 330
STOCKS = 14


@dataclass(frozen=True)
class Frames:
    """Bars, listings and index as `gogooku3.quotes` gives them."""

    bars: pl.DataFrame
    listed: pl.DataFrame
    index: pl.DataFrame

    def market(self) -> Market:
        return self.history().market()

    def history(self) -> History:
        return History(self.bars.lazy(), self.listed, self.index)

    def write(self, folder: Path) -> Path:
        """Writes the files of the quotes stage."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("bars", "listed", "index"):
            getattr(self, name).write_parquet(folder / f"{name}.parquet")
        return folder

    def with_bars(self, bars: pl.DataFrame) -> Frames:
        return replace(self, bars=bars)

    def until(self, day: date) -> Frames:
        """The data known at the close of a day."""
        return replace(
            self, bars=self.bars.filter(pl.col("Date") <= day), index=self.index.filter(pl.col("Date") <= day)
        )


def bytes_of(folder: Path) -> dict[str, bytes]:
    """The content of every file of a dataset."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.*"))}


def weekdays(first: date, sessions: int) -> list[date]:
    days: list[date] = []
    while len(days) < sessions:
        if first.weekday() < 5:
            days.append(first)
        first += timedelta(days=1)
    return days


def random_frames(sessions: int = SESSIONS, stocks: int = STOCKS, sectors: int = 3, seed: int = 3) -> Frames:
    """Bars of a market factor, sector factors and noise; every price and volume is positive."""
    draw = np.random.Generator(np.random.Philox(seed))
    days = weekdays(date(2021, 1, 4), sessions)
    codes = [str(1301 + 7 * n) for n in range(stocks)]
    sector = np.arange(stocks) % sectors
    market = draw.normal(0, 0.008, (sessions, 1))
    of_sector = draw.normal(0, 0.006, (sessions, sectors))[:, sector]
    night = 0.3 * market + draw.normal(0, 0.005, (sessions, stocks))
    day = 0.7 * market + of_sector + draw.normal(0, 0.012, (sessions, stocks))
    log_close = np.cumsum(night + day, axis=0) + np.log(np.linspace(400, 4000, stocks))
    close, opened = np.exp(log_close), np.exp(log_close - day)
    high = np.maximum(opened, close) * np.exp(np.abs(draw.normal(0, 0.006, close.shape)))
    low = np.minimum(opened, close) * np.exp(-np.abs(draw.normal(0, 0.006, close.shape)))
    volume = np.rint(np.exp(draw.normal(10, 0.4, close.shape))) * 100
    bars = pl.DataFrame(
        {
            "Code": codes * sessions,
            "Date": [day for day in days for _ in codes],
            "Open": opened.ravel(),
            "High": high.ravel(),
            "Low": low.ravel(),
            "Close": close.ravel(),
            "Volume": volume.ravel(),
            "TurnoverValue": (volume * (high + low + close) / 3).ravel(),
            "AdjustmentFactor": np.ones(close.size),
        }
    )
    listed = pl.DataFrame(
        {
            "Code": codes,
            "Sector33": [f"sector {n}" for n in sector],
            "MarketSegment": ["Prime" if n % 2 else "Standard" for n in range(stocks)],
            "ListedFrom": [days[0]] * stocks,
            "ListedTo": [None] * stocks,
        },
        schema_overrides={"ListedTo": pl.Date},
    )
    index = pl.DataFrame({"Date": days, "Close": 1000 * np.exp(np.cumsum(market[:, 0]))})
    return Frames(bars, listed, index)


@pytest.fixture(scope="session")
def make_frames() -> Callable[..., Frames]:
    return random_frames


@pytest.fixture(scope="session")
def frames() -> Frames:
    return random_frames()


@pytest.fixture(scope="session")
def market(frames: Frames) -> Market:
    return frames.market()


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Frames:
    """Five years of every tenth of 505 US stocks, without bars that break a rule."""
    if not REAL.exists():
        pytest.skip("the real bars, ../shared/data, are not on this machine")
    bars = pl.read_parquet(REAL)
    some = bars.filter(pl.col("code").is_in(bars["code"].unique().sort().gather_every(10).implode()))
    path = tmp_path_factory.mktemp("real") / "bars.parquet"
    some.write_parquet(path)
    made = make(
        file_quotes(
            path,
            bar_columns={name: name.lower() for name in ("Code", "Date", "Open", "High", "Low", "Close", "Volume")},
            listed_columns={"Code": "code", "Sector33": "sector"},
            rules=dict.fromkeys(("missing_value", "high_below_low", "outside_range"), "drop"),
        )
    )
    return Frames(made.bars, made.listed, made.index)


def small_params() -> Dataset:
    """Every feature, over the sessions of `frames`."""
    return Dataset(
        features="full",
        clip=5.0,
        horizons=[1, 5],
        graph=Graph(window=20, neighbours=3, refresh=5),
        split=Split(
            train_from=date(2021, 1, 4),
            validation_from=date(2022, 1, 24),
            test_from=date(2022, 2, 21),
            embargo=5,
        ),
        joined=Joined(folder="", tables={}),
    )


@pytest.fixture(scope="session")
def params() -> Dataset:
    return small_params()


@pytest.fixture(scope="session")
def folder(frames: Frames, params: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of every feature; tests copy it before they change it."""
    built = tmp_path_factory.mktemp("built") / "dataset"
    build(frames.history(), params, built)
    return built
