"""The quotes folder is read back unchanged; damaged or invalid files are errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from gogooku3.config.quotes import FileQuotes, SyntheticQuotes
from gogooku3.errors import DataError
from gogooku3.quotes.folder import read, write
from gogooku3.quotes.schema import Quotes
from gogooku3.sources.source import make

SYNTHETIC = ("bars.parquet", "index.parquet", "listed.parquet", "oracle.json", "oracle.parquet", "rules.json")


@pytest.fixture(scope="module")
def small(synthetic: Callable[..., SyntheticQuotes]) -> Quotes:
    return make(synthetic(stocks=12, sectors=2, end=date(2020, 12, 30)))


@pytest.fixture
def folder(small: Quotes, tmp_path: Path) -> Path:
    write(small, tmp_path)
    return tmp_path


def test_a_synthetic_market_is_read_back_unchanged(small: Quotes, folder: Path) -> None:
    assert tuple(sorted(path.name for path in folder.iterdir())) == SYNTHETIC
    back = read(folder)
    for name in ("bars", "listed", "index"):
        assert getattr(back, name).equals(getattr(small, name))
    assert back.report == small.report
    assert back.oracle is not None
    assert small.oracle is not None
    assert back.oracle.scores.equals(small.oracle.scores)
    assert back.oracle.summary == small.oracle.summary


def test_quotes_of_a_file_are_read_back_with_nulls_and_without_an_oracle(
    bars: pl.DataFrame,
    file_params: Callable[..., FileQuotes],
    write_bars: Callable[[pl.DataFrame], Path],
    tmp_path: Path,
) -> None:
    faulty = bars.with_columns(Open=pl.Series([None, 102.0, 101.0, 50.0, 51.0, 49.0]))
    made = make(file_params(write_bars(faulty), rules={"missing_value": "keep"}))
    folder = tmp_path / "quotes"
    write(made, folder)
    back = read(folder)
    assert back.bars.equals(made.bars)
    assert back.bars["Open"].null_count() == 1
    assert back.oracle is None
    assert back.restrictions is None
    assert json.loads((folder / "rules.json").read_text())["rules"]["missing_value"]["count"] == 1


@pytest.mark.parametrize("name", SYNTHETIC)
def test_a_missing_file_is_an_error(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(DataError, match=f"{name}` does not exist"):
        read(folder)


@pytest.mark.parametrize("name", SYNTHETIC)
def test_a_truncated_file_is_an_error(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=f"{name}` is not valid JSON|{name}` is not a complete"):
        read(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda bars: bars.drop("Volume"),
        lambda bars: bars.with_columns(pl.col("Close").cast(pl.Float32)),
        lambda bars: bars.sort("Code", "Date"),
        lambda bars: pl.concat([bars.head(1), bars]),
        lambda bars: bars.with_columns(Open=pl.lit(float("nan"))),
        lambda bars: bars.with_columns(AdjustmentFactor=pl.lit(0.0)),
        lambda bars: bars.with_columns(Code=pl.lit(None, pl.String)),
    ],
    ids=["column lost", "other type", "other order", "repeated key", "NaN", "factor 0", "no code"],
)
def test_bars_that_break_the_schema_are_refused(folder: Path, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    path = folder / "bars.parquet"
    change(pl.read_parquet(path)).write_parquet(path)
    with pytest.raises(DataError, match=r"bars.parquet` breaks its schema"):
        read(folder)
