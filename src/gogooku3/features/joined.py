"""Features from point-in-time tables (as-of join): financial statements, margin, flows: all with a publication date.

A table is the file `<folder>/<name>.parquet` of `dataset.joined`. A row is valid from `lag` sessions after its
publication date (no look-ahead); null and NaN are ignored, so the previous value stays valid. Rows of stocks without
bars are dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from gogooku3.config.dataset import Joined, JoinedTable
from gogooku3.dataset.elementwise import Floats
from gogooku3.dataset.schema import JOINED
from gogooku3.errors import DataError
from gogooku3.features.asof import AsOf
from gogooku3.features.feature import Feature
from gogooku3.features.market import Market
from gogooku3.quotes import table as files

_EXAMPLES = 5


def features(joined: Joined) -> tuple[Feature, ...]:
    """One feature per value of each table, in the order of the parameters.

    Raises:
        ConfigError: the name of a table or value is not valid in a feature name.
    """
    return tuple(
        Feature(
            JOINED,
            "stock",
            _name(name, value),
            1,
            _definition(name, column, table),
            partial(_known, name=_name(name, value)),
        )
        for name, table in joined.tables.items()
        for value, column in table.values.items()
    )


def read(joined: Joined, sessions: npt.NDArray[np.datetime64], listed: pl.Series) -> dict[str, AsOf]:
    """The values of all tables, keyed by feature name.

    Args:
        sessions: the whole history, ascending.
        listed: the codes of all stocks.

    Raises:
        DataError: a table is missing or unreadable, lacks a column, has invalid codes, dates or numbers or duplicate
            rows for a code and date, or has no listed stock.
    """
    return {
        _name(name, value): AsOf.of(published, sessions, table.lag, table.stale_after)
        for name, table in joined.tables.items()
        for value, published in _published(Path(joined.folder) / f"{name}.parquet", name, table, listed).items()
    }


def _name(table: str, value: str) -> str:
    return f"{JOINED}_{table}_{value}"


def _definition(name: str, column: str, table: JoinedTable) -> str:
    sessions = "1 session" if table.lag == 1 else f"{table.lag} sessions"
    until = "" if table.stale_after is None else f", for {table.stale_after} sessions"
    return f"last `{column}` of table `{name}`, known {sessions} after the day of `{table.published}`{until}"


def _known(market: Market, name: str) -> Floats:
    return market.joined[name].at(market.sessions, market.codes)


def _published(path: Path, name: str, table: JoinedTable, listed: pl.Series) -> Mapping[str, pl.DataFrame]:
    """`Code`, `Published` and `Value` of each of a table's values, without missing values."""
    parameters = {"code": table.code, "published": table.published}
    parameters |= {f"values.{value}": column for value, column in table.values.items()}
    source = files.load(path, {f"dataset.joined.tables.{name}.{each}": own for each, own in parameters.items()})
    keys = pl.DataFrame([source.codes(table.code).alias("Code"), source.dates(table.published).alias("Published")])
    numbers = {value: source.numbers(column).alias("Value") for value, column in table.values.items()}
    _require_one_row_a_day(path, keys)
    if not keys["Code"].is_in(listed.implode()).any():
        raise DataError(
            f"`{path}` has no row of a listed stock: its codes are like {', '.join(keys['Code'].head(3))},"
            f" those of the bars like {', '.join(listed.head(3))}",
            hint=f"use the same code format, or set another column as `dataset.joined.tables.{name}.code`",
        )
    return {value: keys.with_columns(column).drop_nulls("Value") for value, column in numbers.items()}


def _require_one_row_a_day(path: Path, keys: pl.DataFrame) -> None:
    duplicates = keys.filter(keys.is_duplicated())
    if duplicates.is_empty():
        return
    examples = duplicates.unique().sort("Code", "Published").head(_EXAMPLES).iter_rows()
    raise DataError(
        f"`{path}` has {len(duplicates)} rows with a duplicate code and publication date, such as"
        f" {', '.join(f'{code} {day}' for code, day in examples)}",
        hint="keep one row per code and date",
    )
