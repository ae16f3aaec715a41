"""Parameters of small markets, and small files of bars."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gogooku3.config.quotes import (
    BarColumns,
    FileQuotes,
    IndexColumns,
    Inputs,
    ListedColumns,
    Planted,
    Rules,
    SyntheticQuotes,
)
from gogooku3.quotes.schema import Quotes
from gogooku3.sources.source import make

SYNTHETIC: dict[str, Any] = {
    "source": "synthetic",
    "inputs": Inputs(bars="-", listed="-", index="-"),
    "seed": 7,
    "stocks": 120,
    "start": date(2020, 7, 1),
    "end": date(2023, 12, 29),
    "sectors": 10,
    "cluster_size": 6,
    "listed_later": 0.08,
    "delisted": 0.05,
    "suspended": 0.002,
    "splits": 0.1,
    "planted": Planted(slow=0.06, reversal=0.06, frequency=0.06, neighbours=0.06),
}


@pytest.fixture(scope="session")
def synthetic() -> Callable[..., SyntheticQuotes]:
    """Parameters of the demo market, with some of them changed."""

    def params(**changes: Any) -> SyntheticQuotes:
        return SyntheticQuotes(**{**SYNTHETIC, **changes})

    return params


@pytest.fixture(scope="session")
def market(synthetic: Callable[..., SyntheticQuotes]) -> Quotes:
    """The demo market."""
    return make(synthetic())


def file_quotes(bars: Path, **changes: Any) -> FileQuotes:
    """Parameters of a file source whose columns have the schema's own names; `rules` changes single policies."""
    inputs = {name: str(changes.pop(name, bars)) for name in ("listed", "index")}
    policies = dict.fromkeys((field.name for field in fields(Rules)), "error") | changes.pop("rules", {})
    own = {name: name for name in ("Code", "Date", "Open", "High", "Low", "Close", "Volume")}
    columns = own | {"TurnoverValue": None, "AdjustmentFactor": None} | changes.pop("bar_columns", {})
    groups = {"Code": "Code", "Sector33": None, "MarketSegment": None} | changes.pop("listed_columns", {})
    given: dict[str, Any] = {
        "source": "file",
        "inputs": Inputs(bars=str(bars), **inputs),
        "start": date(1900, 1, 1),
        "end": date(2100, 1, 1),
        "bar_columns": BarColumns(**columns),
        "listed_columns": ListedColumns(**groups),
        "index_columns": IndexColumns(Date="Date", Close="Close"),
        "rules": Rules(**policies),
    }
    return FileQuotes(**{**given, **changes})


@pytest.fixture(scope="session")
def file_params() -> Callable[..., FileQuotes]:
    return file_quotes


@pytest.fixture
def bars() -> pl.DataFrame:
    """Two stocks on three sessions, without a fault, in the order of code and date."""
    days = [date(2024, 1, 4), date(2024, 1, 5), date(2024, 1, 9)]
    return pl.DataFrame(
        {
            "Code": ["1301"] * 3 + ["1332"] * 3,
            "Date": days * 2,
            "Open": [100.0, 102.0, 101.0, 50.0, 51.0, 49.0],
            "High": [103.0, 104.0, 102.0, 52.0, 51.5, 50.0],
            "Low": [99.0, 101.0, 98.0, 49.5, 48.0, 47.0],
            "Close": [102.0, 101.0, 99.0, 51.0, 49.0, 48.0],
            "Volume": [1000.0, 1100.0, 900.0, 500.0, 0.0, 700.0],
        }
    )


@pytest.fixture
def write_bars(tmp_path: Path) -> Callable[[pl.DataFrame], Path]:
    def write(frame: pl.DataFrame) -> Path:
        path = tmp_path / "bars.parquet"
        frame.write_parquet(path)
        return path

    return write
