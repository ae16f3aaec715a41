"""Reads a user's parquet or CSV file, and turns its columns into codes, dates and numbers or says why it cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from gogooku3.errors import DataError

UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
"""What polars raises on a file that is not whole: damaged bytes can make it panic."""

_ISO_DATE = r"^(\d{4}-\d{2}-\d{2})(?:[T ].*)?$"


@dataclass(frozen=True)
class Table:
    """A file's columns as they stand in it."""

    path: Path
    frame: pl.DataFrame

    def codes(self, name: str) -> pl.Series:
        """A column of stock codes, as strings."""
        return self._converted(name, "a code: a string or an integer", _to_text)

    def dates(self, name: str) -> pl.Series:
        """A column of dates: dates, datetimes, or strings that begin with YYYY-MM-DD."""
        return self._converted(name, "a date: write it as YYYY-MM-DD", _to_date)

    def numbers(self, name: str) -> pl.Series:
        """A column of numbers; what is null, NaN or infinite becomes null."""
        numbers = self._converted(name, "a number", _to_number, nullable=True)
        return pl.select(pl.when(numbers.is_finite()).then(numbers)).to_series()

    def labels(self, name: str) -> pl.Series:
        """A column of names, such as sectors; null where there is none."""
        return self._converted(name, "a name: a string or an integer", _to_text, nullable=True)

    def _converted(
        self, name: str, kind: str, convert: Callable[[pl.Series], pl.Series | None], *, nullable: bool = False
    ) -> pl.Series:
        column = self.frame[name]
        converted = convert(column)
        if converted is None:
            raise self._fault(
                f"column `{name}` holds {column.dtype} values such as {_shown(column.drop_nulls().first())}, not {kind}"
            )
        bad = converted.is_null() & (column.is_not_null() if nullable else True)
        if bad.any():
            row = int(bad.arg_max() or 0)
            raise self._fault(
                f"column `{name}` holds {_shown(column[row])} in row {row + 1}, which is not {kind}"
                f" ({bad.sum()} such rows)"
            )
        return converted

    def _fault(self, what: str) -> DataError:
        return DataError(f"`{self.path}`: {what}", hint="correct the file, or name another column in `params.yaml`")


def load(path: Path, columns: dict[str, str]) -> Table:
    """Reads the columns that a file must have.

    Args:
        path: a `.parquet` or `.csv` file.
        columns: name of a parameter, such as `quotes.bar_columns.Open`, to the column that it names.

    Raises:
        DataError: the file is absent, of another kind, not whole, without rows, or lacks a column.
    """
    readers: dict[str, Callable[[Path], pl.DataFrame]] = {".parquet": _parquet, ".csv": _csv}
    if path.suffix not in readers:
        raise DataError(f"`{path}` is neither .parquet nor .csv", hint="convert it to one of them")
    if not path.is_file():
        raise DataError(f"`{path}` is not there", hint="name an existing file in `params.yaml`")
    try:
        frame = readers[path.suffix](path)
    except UNREADABLE as error:
        raise DataError(
            f"`{path}` cannot be read as {path.suffix[1:]}: {first_line(error)}",
            hint="the file is empty, truncated or damaged: get it again",
        ) from None
    absent = {parameter: name for parameter, name in columns.items() if name not in frame.columns}
    if absent:
        listed = ", ".join(f"`{name}` (`{parameter}`)" for parameter, name in absent.items())
        raise DataError(
            f"`{path}` has no column {listed}; it has {', '.join(f'`{name}`' for name in frame.columns)}",
            hint="set the parameters in brackets to the file's own column names",
        )
    if frame.is_empty():
        raise DataError(f"`{path}` has no rows", hint="name a file that holds data in `params.yaml`")
    return Table(path, frame)


def first_line(error: BaseException) -> str:
    """What polars says, without its advice on its own options."""
    return str(error).partition("\n")[0]


def _parquet(path: Path) -> pl.DataFrame:
    return pl.read_parquet(path, glob=False)


def _csv(path: Path) -> pl.DataFrame:
    """All columns as strings: a guessed type would take the zero off a code."""
    return pl.read_csv(path, infer_schema=False, glob=False)


def _to_text(column: pl.Series) -> pl.Series | None:
    textual = column.dtype in (pl.String, pl.Categorical, pl.Enum)
    return column.cast(pl.String) if textual or column.dtype.is_integer() or column.dtype == pl.Null else None


def _to_date(column: pl.Series) -> pl.Series | None:
    if column.dtype == pl.String:
        return column.str.extract(_ISO_DATE).str.to_date("%Y-%m-%d", strict=False)
    if column.dtype == pl.Datetime:
        return column.dt.date()
    return column.cast(pl.Date) if column.dtype in (pl.Date, pl.Null) else None


def _to_number(column: pl.Series) -> pl.Series | None:
    if column.dtype == pl.String:
        return column.str.strip_chars().cast(pl.Float64, strict=False)
    return column.cast(pl.Float64) if column.dtype.is_numeric() or column.dtype == pl.Null else None


def _shown(value: Any) -> str:
    return "no value" if value is None else repr(value)
