"""Compares two files of one month value by value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from gogooku3.dataset.elementwise import Bools


@dataclass(frozen=True)
class Rows:
    """A number of rows, and the first of them."""

    count: int
    date: str
    code: str


@dataclass(frozen=True)
class Month:
    """The differences in a month that both sides have."""

    month: str
    removed: Rows | None
    """Rows that only the old side has."""
    added: Rows | None
    """Rows that only the new side has."""
    values: dict[str, Rows]
    """By shared column: the shared rows in which its values are not bitwise identical."""


def compare(month: str, old: pl.DataFrame, new: pl.DataFrame, key: Sequence[str]) -> Month:
    """Compares two frames that are sorted by `key`, without duplicates.

    Two missing values (NaN) are equal; 0.0 and −0.0 are not.
    """
    left, right = (side.select(*key).with_row_index("row") for side in (old, new))
    shared_rows = left.join(right, on=list(key), how="inner", suffix="_new", maintain_order="left")
    shared = [name for name in old.columns if name in new.columns and name not in key]
    differing = {
        name: _differing(old[name].gather(shared_rows["row"]), new[name].gather(shared_rows["row_new"]))
        for name in shared
    }
    values = {name: _rows(shared_rows.filter(differs)) for name, differs in differing.items()}
    return Month(
        month,
        removed=_rows(left.join(right, on=list(key), how="anti", maintain_order="left")),
        added=_rows(right.join(left, on=list(key), how="anti", maintain_order="left")),
        values={name: rows for name, rows in values.items() if rows is not None},
    )


def _rows(frame: pl.DataFrame) -> Rows | None:
    if frame.is_empty():
        return None
    return Rows(frame.height, str(frame["Date"][0]), frame["Code"][0])


def _differing(old: pl.Series, new: pl.Series) -> Bools:
    """Which values of two columns of one type are not bitwise identical."""
    if old.dtype == pl.Float32:
        differs: Bools = old.to_numpy().view(np.uint32) != new.to_numpy().view(np.uint32)
        return differs
    return old.ne_missing(new).to_numpy()
