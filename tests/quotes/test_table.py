from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest

from gogooku3.errors import DataError
from gogooku3.quotes import table


def parquet(folder: Path, **columns: object) -> table.Table:
    path = folder / "given.parquet"
    pl.DataFrame(columns).write_parquet(path)
    return table.load(path, {})


def test_a_csv_keeps_the_leading_zero_of_a_code(tmp_path: Path) -> None:
    path = tmp_path / "given.csv"
    path.write_text("code,price\n0130,1.5\n1301,2\n")
    given = table.load(path, {})
    assert given.codes("code").to_list() == ["0130", "1301"]
    assert given.numbers("price").to_list() == [1.5, 2.0]


@pytest.mark.parametrize(
    "days",
    [
        [date(2024, 1, 4), date(2024, 1, 5)],
        [datetime(2024, 1, 4, 15), datetime(2024, 1, 5)],
        ["2024-01-04", "2024-01-05"],
        ["2024-01-04T15:00:00+09:00", "2024-01-05 00:00:00"],
    ],
    ids=["dates", "datetimes", "ISO dates", "ISO datetimes"],
)
def test_dates_of_every_kind_are_read(tmp_path: Path, days: list[object]) -> None:
    assert parquet(tmp_path, day=days).dates("day").to_list() == [date(2024, 1, 4), date(2024, 1, 5)]


@pytest.mark.parametrize("day", ["04.01.2024", "2024-13-01", "20240104", "2024-01-044", "", None])
def test_an_invalid_date_is_an_error_with_its_row(tmp_path: Path, day: str | None) -> None:
    given = parquet(tmp_path, day=["2024-01-04", day])
    with pytest.raises(DataError, match=r"column `day` has .* in row 2, which is not a date") as refusal:
        given.dates("day")
    assert str(given.path) in refusal.value.message


def test_integer_prices_and_text_prices_become_numbers(tmp_path: Path) -> None:
    given = parquet(tmp_path, whole=[1, 2], text=["1.5", " 2e3 "])
    assert given.numbers("whole").to_list() == [1.0, 2.0]
    assert given.numbers("text").to_list() == [1.5, 2000.0]


def test_infinity_and_nan_are_missing(tmp_path: Path) -> None:
    given = parquet(tmp_path, price=[1.0, float("nan"), float("inf"), None], text=["1", "NaN", "-inf", None])
    assert given.numbers("price").to_list() == [1.0, None, None, None]
    assert given.numbers("text").to_list() == [1.0, None, None, None]


@pytest.mark.parametrize("price", ["12,5", "n/a", "¥100"])
def test_an_invalid_price_is_an_error_with_its_row(tmp_path: Path, price: str) -> None:
    with pytest.raises(DataError, match=rf"column `open` has '{price}' in row 3, .*\(1 such rows\)"):
        parquet(tmp_path, open=["1", None, price]).numbers("open")


def test_a_column_of_another_kind_is_refused_with_a_value(tmp_path: Path) -> None:
    given = parquet(tmp_path, flag=[True, False], code=[1.5, 2.5])
    with pytest.raises(DataError, match="`flag` has Boolean values such as True, not a number"):
        given.numbers("flag")
    with pytest.raises(DataError, match=r"`code` has Float64 values such as 1\.5, not a code"):
        given.codes("code")


def test_a_missing_code_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no value in row 2, which is not a code"):
        parquet(tmp_path, code=["1301", None]).codes("code")


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bars.xlsx"
    path.touch()
    with pytest.raises(DataError, match=r"neither \.parquet nor \.csv"):
        table.load(path, {})


@pytest.mark.parametrize("name", ["bars.parquet", "bars.csv"])
def test_an_absent_file_and_an_empty_file_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(DataError, match="does not exist"):
        table.load(path, {})
    path.touch()
    with pytest.raises(DataError, match="cannot be read"):
        table.load(path, {})


@pytest.mark.parametrize("name", ["bars.parquet", "bars.csv"])
def test_a_file_without_rows_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    empty = pl.DataFrame({"open": []}, schema={"open": pl.Float64})
    _ = empty.write_parquet(path) if path.suffix == ".parquet" else empty.write_csv(path)
    with pytest.raises(DataError, match="has no rows"):
        table.load(path, {})


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_parquet_is_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "bars.parquet"
    pl.DataFrame({"open": list(range(1000))}).write_parquet(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DataError, match="cannot be read as parquet"):
        table.load(path, {})


def test_missing_columns_are_listed_with_their_parameters_and_the_existing_columns(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_text("open,close\n1,2\n")
    with pytest.raises(DataError) as refusal:
        table.load(path, {"quotes.bar_columns.High": "high", "quotes.bar_columns.Low": "low"})
    assert refusal.value.message == (
        f"`{path}` has no column `high` (`quotes.bar_columns.High`), `low` (`quotes.bar_columns.Low`);"
        " it has `open`, `close`"
    )
