"""API responses, validated against their documentation: each becomes a frame with a fixed schema, or an error.

Other columns are dropped, among them all split-adjusted ones (`AdjC` and so on): each later split rewrites their whole
history, and a raw folder must not depend on later events. So are names that duplicate a code.
https://jpx-jquants.com/en/spec describes each column.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from gogooku3.errors import DataError, abbreviate

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["bars", "listed", "topix"]
KINDS: tuple[Kind, ...] = ("bars", "listed", "topix")
"""The tables of a month."""


@dataclass(frozen=True)
class Column:
    """Type and nullability of a column."""

    kind: Literal["date", "text", "number"]
    nullable: bool = False


_DATE, _TEXT = Column("date"), Column("text")
_NULLABLE_TEXT, _NULLABLE_NUMBER = Column("text", nullable=True), Column("number", nullable=True)

BARS = {
    "Date": _DATE,
    "Code": _TEXT,
    **dict.fromkeys(("O", "H", "L", "C"), _NULLABLE_NUMBER),
    **dict.fromkeys(("UL", "LL"), _NULLABLE_TEXT),
    **dict.fromkeys(("Vo", "Va"), _NULLABLE_NUMBER),
    "AdjFactor": _NULLABLE_NUMBER,
}
"""One row per listed issue and session: prices, volume and value are null if it was not traded. `UL` and `LL` are "1"
if the price reached the day's upper or lower limit."""
LISTED = {
    "Date": _DATE,
    "Code": _TEXT,
    "CoNameEn": _NULLABLE_TEXT,
    **dict.fromkeys(("S33", "Mkt"), _TEXT),
    **dict.fromkeys(("S17", "ScaleCat", "Mrgn", "ProdCat"), _NULLABLE_TEXT),
}
"""One row per issue that is listed in the session."""
TOPIX = {"Date": _DATE, **dict.fromkeys(("O", "H", "L", "C"), _NULLABLE_NUMBER)}
CALENDAR = {"Date": _DATE, "HolDiv": _TEXT}
COLUMNS: Mapping[Kind, dict[str, Column]] = {"bars": BARS, "listed": LISTED, "topix": TOPIX}
"""The stored columns, per kind."""

_TYPES: dict[str, pl.DataType] = {"date": pl.Date(), "text": pl.String(), "number": pl.Float64()}
_PHRASES = {"date": "a date", "text": "a string", "number": "a number"}


def key(columns: Mapping[str, Column]) -> list[str]:
    """The key columns."""
    return [name for name in ("Date", "Code") if name in columns]


def frame(what: str, response: pd.DataFrame, columns: Mapping[str, Column]) -> pl.DataFrame:
    """The stored columns of a response, sorted by key; no rows if there is no data.

    Args:
        what: the request, such as `the bars of 2024-01-12`.
        response: the official client's data frame.
        columns: required columns.

    Raises:
        DataError: a column is missing, a value has another type, or two rows have the same key.
    """
    schema = {name: _TYPES[column.kind] for name, column in columns.items()}
    if response.empty:
        return pl.DataFrame(schema=schema)
    missing = [name for name in columns if name not in response.columns]
    if missing:
        others = [name for name in response.columns if name not in columns]
        raise format_error(
            f"{what} lack {abbreviate((f'`{name}`' for name in missing), limit=12)}; the renamed columns may be among"
            f" {abbreviate((f'`{name}`' for name in others), limit=40)}"
        )
    values = {name: _converted(what, name, column, response[name].tolist()) for name, column in columns.items()}
    rows = pl.DataFrame(values, schema=schema).sort(key(columns))
    duplicates = rows.filter(pl.struct(key(columns)).is_duplicated())
    if not duplicates.is_empty():
        raise format_error(
            f"{what} have {len(duplicates)} rows with a duplicate key, such as {_row(duplicates.row(0))}"
        )
    return rows


def format_error(difference: str) -> DataError:
    """The error for a response that differs from the API's documentation; finished months are kept."""
    return DataError(
        f"the response of J-Quants differs from its documentation: {difference}",
        hint="check https://jpx-jquants.com/en/spec for a change of the API; if it has changed, adapt gogooku3. Months"
        " that were fetched are kept",
    )


def _converted(what: str, name: str, column: Column, values: list[Any]) -> list[Any]:
    converted = [_value(column.kind, value) for value in values]
    for value, result in zip(values, converted, strict=True):
        if result is None and not (column.nullable and _is_missing(value)):
            given = "no value" if _is_missing(value) else repr(value)
            raise format_error(f"in {what}, `{name}` has {given}, not {_PHRASES[column.kind]}")
    return converted


def _value(kind: str, value: Any) -> date | str | float | None:
    """The value converted to a kind; None if it is missing or of another type."""
    if _is_missing(value):
        return None
    if kind == "date":
        return value.date() if isinstance(value, datetime) else None
    if kind == "text":
        return value if isinstance(value, str) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _is_missing(value: Any) -> bool:
    return value is None or value != value  # NaN, or pandas' NaT


def _row(values: tuple[Any, ...]) -> str:
    return ", ".join(str(value) for value in values[:2])
