"""Reads the bars of an evening as the release's quotes stage would: a folder of quotes, own files, or J-Quants."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from gogooku3.assembly.history import History
from gogooku3.config.quotes import (
    BarColumns,
    FileQuotes,
    IndexColumns,
    Inputs,
    JQuantsQuotes,
    ListedColumns,
    Policy,
    Quotes,
    Rules,
)
from gogooku3.errors import ConfigError, DataError
from gogooku3.quotes import folder as quotes_folder
from gogooku3.quotes.table import UNREADABLE, first_line
from gogooku3.sources.source import make

_ERROR: Policy = "error"
_OPTIONAL = ("TurnoverValue", "AdjustmentFactor")


@dataclass(frozen=True)
class BarFiles:
    """Where the bars are. All of the history since the release's first session belongs to them: the dates of the graph
    count from there."""

    bars: Path
    """A folder in the layout of `data/quotes`, a parquet or CSV file, or a folder of `gogooku3 jquants download`."""
    listed: Path | None = None
    """Sectors and segments, for a file of bars."""
    index: Path | None = None
    """Levels of the market index, for a file of bars."""
    joined: Path | None = None
    """Folder of the joined tables, for a release that has some."""


def read(files: BarFiles, params: Quotes, until: date) -> History:
    """The bars as the history that features are computed from.

    A file has the columns of the release's own files (`quotes.bar_columns`), or those of `quotes/schema.py` if the
    release was not made from files; without `TurnoverValue` it is close times volume, without `AdjustmentFactor` the
    prices are taken as adjusted. The release's rules of validation apply.

    Args:
        params: section `quotes` of the release.
        until: the evening: later bars are of the future (rule `future_date`).

    Raises:
        ConfigError: the listing or the index of the release is not named.
        DataError: a file is missing, unreadable or breaks a rule.
    """
    if files.bars.is_dir():
        if (files.bars / quotes_folder.BARS).exists() or not isinstance(params, JQuantsQuotes):
            return History.read(files.bars)
        raw = str(files.bars)
        params = replace(params, inputs=Inputs(raw, raw, raw), end=until)
    else:
        params = _own_files(files, params, until)
    made = make(params)
    return History(made.bars.lazy(), made.listed, made.index)


def _own_files(files: BarFiles, params: Quotes, until: date) -> FileQuotes:
    """The parameters with which the release's quotes stage would read these files."""
    if isinstance(params, FileQuotes):
        of = params.inputs
        inputs = Inputs(
            str(files.bars),
            str(_named(files, "listed", of.listed == of.bars)),
            str(_named(files, "index", of.index == of.bars)),
        )
        return replace(params, inputs=inputs, end=until)
    columns = _columns(files.bars)
    own = {field.name: field.name for field in fields(BarColumns)}
    absent: dict[str, Any] = dict.fromkeys(name for name in _OPTIONAL if name not in columns)
    return FileQuotes(
        source="file",
        inputs=Inputs(str(files.bars), str(_named(files, "listed", False)), str(_named(files, "index", False))),
        start=date.min,
        end=until,
        bar_columns=replace(BarColumns(**own), **absent),
        listed_columns=ListedColumns("Code", "Sector33", "MarketSegment"),
        index_columns=IndexColumns("Date", "Close"),
        rules=Rules(**dict.fromkeys((field.name for field in fields(Rules)), _ERROR)),
    )


def _named(files: BarFiles, name: str, in_bars: bool) -> Path:
    """The file of the listing or the index; the bars themselves if the release has them there."""
    path = getattr(files, name)
    if path is not None:
        return Path(path)
    if in_bars:
        return files.bars
    raise ConfigError(
        f"the release was made with a file of its own for `quotes.inputs.{name}`, and none is named",
        hint=f"name the current one (`--{name} FILE`), or a folder with bars, listing and index (`--bars FOLDER`)",
    )


def _columns(path: Path) -> list[str]:
    """The column names of a file; none if it cannot be read, which the reader of the bars reports."""
    try:
        scan = pl.scan_csv(path, infer_schema=False) if path.suffix == ".csv" else pl.scan_parquet(path, glob=False)
        return scan.collect_schema().names()
    except FileNotFoundError:
        raise DataError(f"`{path}` does not exist", hint="name an existing file of bars (`--bars FILE`)") from None
    except UNREADABLE as error:
        raise DataError(f"`{path}` cannot be read: {first_line(error)}", hint="get the file again") from None
