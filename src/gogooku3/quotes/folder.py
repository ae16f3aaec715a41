"""The folder `data/quotes`: how quotes are written, and read back checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

import dataframely as dy
import polars as pl

from gogooku3.errors import DataError
from gogooku3.quotes.schema import Bars, Index, Listed, Oracle, OracleScores, Quotes
from gogooku3.quotes.table import UNREADABLE, first_line
from gogooku3.runtime.files import write_json, write_parquet

BARS, LISTED, INDEX, REPORT = "bars.parquet", "listed.parquet", "index.parquet", "rules.json"
ORACLE_SCORES, ORACLE_SUMMARY = "oracle.parquet", "oracle.json"

_REMAKE = "remake the folder with `dvc repro quotes`, or get it back with `dvc pull quotes`"

S = TypeVar("S", bound=dy.Schema)


def write(quotes: Quotes, folder: Path) -> None:
    """Writes quotes into a folder, the same bytes for the same quotes."""
    write_parquet(quotes.bars, folder / BARS)
    write_parquet(quotes.listed, folder / LISTED)
    write_parquet(quotes.index, folder / INDEX)
    write_json(quotes.report, folder / REPORT)
    if quotes.oracle is not None:
        write_parquet(quotes.oracle.scores, folder / ORACLE_SCORES)
        write_json(quotes.oracle.summary, folder / ORACLE_SUMMARY)


def read(folder: Path) -> Quotes:
    """Reads what `write` wrote.

    Raises:
        DataError: a file is absent, truncated, or breaks its schema.
    """
    return Quotes(
        bars=_frame(folder / BARS, Bars),
        listed=read_listed(folder),
        index=read_index(folder),
        report=read_report(folder),
        oracle=_oracle(folder),
    )


def scan_bars(folder: Path) -> pl.LazyFrame:
    """The bars, to be read in parts with `collect_bars`.

    Raises:
        DataError: the file is absent or not whole.
    """
    path = folder / BARS
    try:
        bars = pl.scan_parquet(path, glob=False)
        bars.collect_schema()
    except FileNotFoundError:
        raise DataError(f"`{path}` is not there", hint=_REMAKE) from None
    except UNREADABLE as error:
        raise DataError(f"`{path}` is not a whole parquet file: {first_line(error)}", hint=_REMAKE) from None
    return bars


def collect_bars(bars: pl.LazyFrame) -> dy.DataFrame[Bars]:
    """Reads the rows of bars that are left after a filter.

    Raises:
        DataError: they cannot be read, or break their schema.
    """
    try:
        return Bars.validate(bars.collect(engine="streaming"))
    except UNREADABLE as error:
        raise DataError(f"the bars of the quotes cannot be read: {first_line(error)}", hint=_REMAKE) from None
    except (dy.exc.SchemaError, dy.exc.ValidationError) as error:
        raise DataError(f"the bars of the quotes break their schema: {error}", hint=_REMAKE) from None


def read_listed(folder: Path) -> dy.DataFrame[Listed]:
    """The listing; raises `DataError` as `read` does."""
    return _frame(folder / LISTED, Listed)


def read_index(folder: Path) -> dy.DataFrame[Index]:
    """The index; raises `DataError` as `read` does."""
    return _frame(folder / INDEX, Index)


def read_report(folder: Path) -> dict[str, Any]:
    """What the bars and the listing broke, and what was done; raises `DataError` as `read` does."""
    return _json(folder / REPORT)


def _oracle(folder: Path) -> Oracle | None:
    if not (folder / ORACLE_SCORES).exists() and not (folder / ORACLE_SUMMARY).exists():
        return None
    return Oracle(_frame(folder / ORACLE_SCORES, OracleScores), _json(folder / ORACLE_SUMMARY))


def _frame(path: Path, schema: type[S]) -> dy.DataFrame[S]:
    try:
        frame = pl.read_parquet(path, glob=False)
    except FileNotFoundError:
        raise DataError(f"`{path}` is not there", hint=_REMAKE) from None
    except UNREADABLE as error:
        raise DataError(f"`{path}` is not a whole parquet file: {first_line(error)}", hint=_REMAKE) from None
    try:
        return schema.validate(frame)
    except (dy.exc.SchemaError, dy.exc.ValidationError) as error:
        raise DataError(f"`{path}` breaks its schema: {error}", hint=_REMAKE) from None


def _json(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"`{path}` is not there", hint=_REMAKE) from None
    except ValueError as error:
        raise DataError(f"`{path}` is not whole JSON: {error}", hint=_REMAKE) from None
    return content
