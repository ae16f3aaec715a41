"""Writes the folder `data/quotes`; reads it with schema validation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

import dataframely as dy
import polars as pl

from gogooku3.errors import DataError
from gogooku3.quotes.schema import Bars, Index, Listed, Oracle, OracleScores, Quotes, Restrictions
from gogooku3.quotes.table import UNREADABLE, first_line
from gogooku3.runtime.files import write_json, write_parquet

BARS, LISTED, INDEX, REPORT = "bars.parquet", "listed.parquet", "index.parquet", "rules.json"
ORACLE_SCORES, ORACLE_SUMMARY = "oracle.parquet", "oracle.json"
RESTRICTIONS = "restrictions.parquet"

_REBUILD = "rebuild the folder with `dvc repro quotes`, or fetch it with `dvc pull quotes`"

S = TypeVar("S", bound=dy.Schema)


def write(quotes: Quotes, folder: Path) -> None:
    """Writes quotes into a folder; deterministic: the same bytes for the same quotes."""
    write_parquet(quotes.bars, folder / BARS)
    write_parquet(quotes.listed, folder / LISTED)
    write_parquet(quotes.index, folder / INDEX)
    write_json(quotes.report, folder / REPORT)
    if quotes.restrictions is not None:
        write_parquet(quotes.restrictions, folder / RESTRICTIONS)
    if quotes.oracle is not None:
        write_parquet(quotes.oracle.scores, folder / ORACLE_SCORES)
        write_json(quotes.oracle.summary, folder / ORACLE_SUMMARY)


def read(folder: Path) -> Quotes:
    """Reads a folder that `write` wrote.

    Raises:
        DataError: a file is missing, truncated, or breaks its schema.
    """
    return Quotes(
        bars=_frame(folder / BARS, Bars),
        listed=read_listed(folder),
        index=read_index(folder),
        report=read_report(folder),
        oracle=_oracle(folder),
        restrictions=_frame(folder / RESTRICTIONS, Restrictions) if (folder / RESTRICTIONS).exists() else None,
    )


def scan_bars(folder: Path) -> pl.LazyFrame:
    """The bars as a lazy frame, for `collect_bars`.

    Raises:
        DataError: the file is missing or truncated.
    """
    path = folder / BARS
    try:
        bars = pl.scan_parquet(path, glob=False)
        bars.collect_schema()
    except FileNotFoundError:
        raise DataError(f"`{path}` does not exist", hint=_REBUILD) from None
    except UNREADABLE as error:
        raise DataError(f"`{path}` is not a complete parquet file: {first_line(error)}", hint=_REBUILD) from None
    return bars


def collect_bars(bars: pl.LazyFrame) -> dy.DataFrame[Bars]:
    """Collects a filtered lazy frame of bars.

    Raises:
        DataError: the bars cannot be read, or break their schema.
    """
    try:
        return Bars.validate(bars.collect(engine="streaming"))
    except UNREADABLE as error:
        raise DataError(f"the bars of the quotes cannot be read: {first_line(error)}", hint=_REBUILD) from None
    except (dy.exc.SchemaError, dy.exc.ValidationError) as error:
        raise DataError(f"the bars of the quotes break their schema: {error}", hint=_REBUILD) from None


def read_listed(folder: Path) -> dy.DataFrame[Listed]:
    """The listing; raises like `read`."""
    return _frame(folder / LISTED, Listed)


def read_index(folder: Path) -> dy.DataFrame[Index]:
    """The index; raises like `read`."""
    return _frame(folder / INDEX, Index)


def read_report(folder: Path) -> dict[str, Any]:
    """The validation report: broken rules and dropped rows; raises like `read`."""
    return _json(folder / REPORT)


def read_oracle_summary(folder: Path) -> dict[str, Any] | None:
    """The RankIC of a synthetic market's oracle; None for a real market. Raises like `read`."""
    return _json(folder / ORACLE_SUMMARY) if (folder / ORACLE_SUMMARY).exists() else None


def _oracle(folder: Path) -> Oracle | None:
    if not (folder / ORACLE_SCORES).exists() and not (folder / ORACLE_SUMMARY).exists():
        return None
    return Oracle(_frame(folder / ORACLE_SCORES, OracleScores), _json(folder / ORACLE_SUMMARY))


def _frame(path: Path, schema: type[S]) -> dy.DataFrame[S]:
    try:
        frame = pl.read_parquet(path, glob=False)
    except FileNotFoundError:
        raise DataError(f"`{path}` does not exist", hint=_REBUILD) from None
    except UNREADABLE as error:
        raise DataError(f"`{path}` is not a complete parquet file: {first_line(error)}", hint=_REBUILD) from None
    try:
        return schema.validate(frame)
    except (dy.exc.SchemaError, dy.exc.ValidationError) as error:
        raise DataError(f"`{path}` breaks its schema: {error}", hint=_REBUILD) from None


def _json(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"`{path}` does not exist", hint=_REBUILD) from None
    except ValueError as error:
        raise DataError(f"`{path}` is not valid JSON: {error}", hint=_REBUILD) from None
    return content
