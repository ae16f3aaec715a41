"""What the API answers, checked against its documentation: every answer becomes a frame of known columns, or an error.

Columns that are not named here are left behind, among them all that J-Quants adjusts for splits (`AdjC` and its like):
each later split rewrites their whole past, and a raw folder must not change with what happens later. So are names that
repeat a code. https://jpx-jquants.com/en/spec describes each column.
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
"""What a month is made of."""


@dataclass(frozen=True)
class Column:
    """What a column's values are, and whether one may be missing."""

    kind: Literal["date", "text", "number"]
    nullable: bool = False


_DATE, _TEXT = Column("date"), Column("text")
_PERHAPS_TEXT, _PERHAPS_NUMBER = Column("text", nullable=True), Column("number", nullable=True)

BARS = {
    "Date": _DATE,
    "Code": _TEXT,
    **dict.fromkeys(("O", "H", "L", "C"), _PERHAPS_NUMBER),
    **dict.fromkeys(("UL", "LL"), _PERHAPS_TEXT),
    **dict.fromkeys(("Vo", "Va"), _PERHAPS_NUMBER),
    "AdjFactor": _PERHAPS_NUMBER,
}
"""One row per listed issue and session: prices, volume and value are null where it was not traded. `UL` and `LL` are
"1" where the price reached the day's upper and lower limit."""
LISTED = {
    "Date": _DATE,
    "Code": _TEXT,
    "CoNameEn": _PERHAPS_TEXT,
    **dict.fromkeys(("S33", "Mkt"), _TEXT),
    **dict.fromkeys(("S17", "ScaleCat", "Mrgn", "ProdCat"), _PERHAPS_TEXT),
}
"""One row per issue that is listed on the session."""
TOPIX = {"Date": _DATE, **dict.fromkeys(("O", "H", "L", "C"), _PERHAPS_NUMBER)}
CALENDAR = {"Date": _DATE, "HolDiv": _TEXT}
COLUMNS: Mapping[Kind, dict[str, Column]] = {"bars": BARS, "listed": LISTED, "topix": TOPIX}
"""The columns that are kept, per kind."""

_TYPES: dict[str, pl.DataType] = {"date": pl.Date(), "text": pl.String(), "number": pl.Float64()}
_PHRASES = {"date": "a date", "text": "a text", "number": "a number"}


def key(columns: Mapping[str, Column]) -> list[str]:
    """The columns that tell a row from the others."""
    return [name for name in ("Date", "Code") if name in columns]


def frame(what: str, answer: pd.DataFrame, columns: Mapping[str, Column]) -> pl.DataFrame:
    """The known columns of an answer, in the order of its key; no rows where there is no data.

    Args:
        what: what was asked for, such as `the bars of 2024-01-12`.
        answer: as the official client gives it.
        columns: those that the answer must have.

    Raises:
        DataError: a column is missing, a value is of another type, or two rows have the same key.
    """
    schema = {name: _TYPES[column.kind] for name, column in columns.items()}
    if answer.empty:
        return pl.DataFrame(schema=schema)
    absent = [name for name in columns if name not in answer.columns]
    if absent:
        others = [name for name in answer.columns if name not in columns]
        raise changed(
            f"{what} lack {abbreviate((f'`{name}`' for name in absent), limit=12)}; what they have instead may be among"
            f" {abbreviate((f'`{name}`' for name in others), limit=40)}"
        )
    values = {name: _converted(what, name, column, answer[name].tolist()) for name, column in columns.items()}
    made = pl.DataFrame(values, schema=schema).sort(key(columns))
    twice = made.filter(pl.struct(key(columns)).is_duplicated())
    if not twice.is_empty():
        raise changed(f"{what} have {len(twice)} rows that share their key, such as {_row(twice.row(0))}")
    return made


def changed(fault: str) -> DataError:
    """The error of an answer that is not as documented; what was fetched before it is kept."""
    return DataError(
        f"J-Quants does not answer as its documentation says: {fault}",
        hint="https://jpx-jquants.com/en/spec says whether the API has changed; if so, gogooku3 has to follow. Months"
        " that were fetched are kept",
    )


def _converted(what: str, name: str, column: Column, values: list[Any]) -> list[Any]:
    converted = [_value(column.kind, value) for value in values]
    for value, made in zip(values, converted, strict=True):
        if made is None and not (column.nullable and _is_missing(value)):
            given = "no value" if _is_missing(value) else repr(value)
            raise changed(f"in {what}, `{name}` holds {given}, not {_PHRASES[column.kind]}")
    return converted


def _value(kind: str, value: Any) -> date | str | float | None:
    """The value as its kind; None where it is of another."""
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
