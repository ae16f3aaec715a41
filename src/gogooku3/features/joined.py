"""Tables that are joined as of each session: statements, margin, flows, or whatever else has a day of publication.

A table is the file `<folder>/<name>.parquet` of `dataset.joined`. A row says something of its stock from the session on
that is `lag` sessions after its day of publication; a value that is null or NaN says nothing, so that the one before it
stands on. Rows of stocks without bars are left out.
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
    """A feature for each value of each table, in the order of the parameters.

    Raises:
        ConfigError: a table or a value has a name that cannot be part of a feature's.
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
    """The values of all tables by the name of their feature.

    Args:
        sessions: all of history, rising.
        listed: the codes of all stocks.

    Raises:
        DataError: a table is absent or unreadable, lacks a column, holds what is no code, day or number, has a code
            twice on a day, or has no listed stock.
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
    """`Code`, `Published` and `Value` for each of a table's values, where there is one."""
    parameters = {"code": table.code, "published": table.published}
    parameters |= {f"values.{value}": column for value, column in table.values.items()}
    source = files.load(path, {f"dataset.joined.tables.{name}.{each}": own for each, own in parameters.items()})
    keys = pl.DataFrame([source.codes(table.code).alias("Code"), source.dates(table.published).alias("Published")])
    numbers = {value: source.numbers(column).alias("Value") for value, column in table.values.items()}
    _require_one_row_a_day(path, keys)
    if not keys["Code"].is_in(listed.implode()).any():
        raise DataError(
            f"`{path}` has no row of a stock that is listed: its codes are such as {', '.join(keys['Code'].head(3))},"
            f" those of the bars such as {', '.join(listed.head(3))}",
            hint=f"write the codes alike, or name another column as `dataset.joined.tables.{name}.code`",
        )
    return {value: keys.with_columns(column).drop_nulls("Value") for value, column in numbers.items()}


def _require_one_row_a_day(path: Path, keys: pl.DataFrame) -> None:
    twice = keys.filter(keys.is_duplicated())
    if twice.is_empty():
        return
    examples = twice.unique().sort("Code", "Published").head(_EXAMPLES).iter_rows()
    raise DataError(
        f"`{path}` has {len(twice)} rows that share code and day of publication with another, such as"
        f" {', '.join(f'{code} {day}' for code, day in examples)}",
        hint="keep one row for each code and day",
    )
