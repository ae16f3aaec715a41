"""Reads a user's parquet or CSV file and parses its columns as codes, dates and numbers, with clear errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from gogooku3.errors import DataError

UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
"""Exceptions of polars on a truncated or damaged file: damaged bytes can make it panic."""

_ISO_DATE = r"^(\d{4}-\d{2}-\d{2})(?:[T ].*)?$"


@dataclass(frozen=True)
class Table:
    """The unparsed columns of a file."""

    path: Path
    frame: pl.DataFrame

    def codes(self, name: str) -> pl.Series:
        """A column of stock codes, as strings."""
        return self._converted(name, "a code: a string or an integer", _to_text)

    def dates(self, name: str) -> pl.Series:
        """A column of dates: dates, datetimes, or strings that begin with YYYY-MM-DD."""
        return self._converted(name, "a date: write it as YYYY-MM-DD", _to_date)

    def numbers(self, name: str) -> pl.Series:
        """A column of numbers; NaN and infinity become null."""
        numbers = self._converted(name, "a number", _to_number, nullable=True)
        return pl.select(pl.when(numbers.is_finite()).then(numbers)).to_series()

    def labels(self, name: str) -> pl.Series:
        """A nullable column of names, such as sectors."""
        return self._converted(name, "a name: a string or an integer", _to_text, nullable=True)

    def _converted(
        self, name: str, kind: str, convert: Callable[[pl.Series], pl.Series | None], *, nullable: bool = False
    ) -> pl.Series:
        column = self.frame[name]
        converted = convert(column)
        if converted is None:
            raise self._error(
                f"column `{name}` has {column.dtype} values such as {_shown(column.drop_nulls().first())}, not {kind}"
            )
        bad = converted.is_null() & (column.is_not_null() if nullable else True)
        if bad.any():
            row = int(bad.arg_max() or 0)
            raise self._error(
                f"column `{name}` has {_shown(column[row])} in row {row + 1}, which is not {kind}"
                f" ({bad.sum()} such rows)"
            )
        return converted

    def _error(self, message: str) -> DataError:
        return DataError(f"`{self.path}`: {message}", hint="correct the file, or set another column in `params.yaml`")


def load(path: Path, columns: dict[str, str]) -> Table:
    """Reads a file and checks its columns.

    Args:
        path: a `.parquet` or `.csv` file.
        columns: required columns, keyed by the parameter that sets them, such as `quotes.bar_columns.Open`.

    Raises:
        DataError: the file is missing, of another type, truncated, or empty, or a column is missing.
    """
    readers: dict[str, Callable[[Path], pl.DataFrame]] = {".parquet": _parquet, ".csv": _csv}
    if path.suffix not in readers:
        raise DataError(f"`{path}` is neither .parquet nor .csv", hint="convert it to one of them")
    if not path.is_file():
        raise DataError(f"`{path}` does not exist", hint="set an existing file in `params.yaml`")
    try:
        frame = readers[path.suffix](path)
    except UNREADABLE as error:
        raise DataError(
            f"`{path}` cannot be read as {path.suffix[1:]}: {first_line(error)}",
            hint="get the file again: it is empty, truncated or damaged",
        ) from None
    missing = {parameter: name for parameter, name in columns.items() if name not in frame.columns}
    if missing:
        names = ", ".join(f"`{name}` (`{parameter}`)" for parameter, name in missing.items())
        raise DataError(
            f"`{path}` has no column {names}; it has {', '.join(f'`{name}`' for name in frame.columns)}",
            hint="set the parameters in brackets to the file's own column names",
        )
    if frame.is_empty():
        raise DataError(f"`{path}` has no rows", hint="set a file with data in `params.yaml`")
    return Table(path, frame)


def first_line(error: BaseException) -> str:
    """The first line of a polars error, without the advice on polars' own options."""
    return str(error).partition("\n")[0]


def _parquet(path: Path) -> pl.DataFrame:
    return pl.read_parquet(path, glob=False)


def _csv(path: Path) -> pl.DataFrame:
    """Reads all columns as strings: an inferred integer type would drop the leading zero of a code."""
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
