"""`gogooku3 dataset diff | make`: differences of two datasets; build of a share of the months."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Column, Table
from rich.text import Text

from gogooku3 import paths, source
from gogooku3.cli.output import console, echo, echo_json
from gogooku3.errors import abbreviate
from gogooku3.progress import progress_bar

if TYPE_CHECKING:
    from gogooku3.recovery.dataset_diff.compare import DatasetDiff, Months
    from gogooku3.recovery.dataset_diff.month import Month, Rows

_SHOWN = 4
"""Columns that a cell lists; --json lists all."""


def _share(_context: click.Context, _option: click.Parameter, value: str) -> tuple[int, int]:
    """`2/5`: the second of five."""
    match = re.fullmatch(r"(\d+)/(\d+)", value)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise click.BadParameter(f"`{value}` is not a share; write `2/5` for the second of five")
    return int(match[1]), int(match[2])


@click.group()
def dataset() -> None:
    """Compare datasets, or build a share of one.

    \b
    Examples:
      gogooku3 dataset diff tier1@v1.0.0
      gogooku3 dataset make --share 1/3
    """


@dataset.command()
@click.argument("old", metavar="A")
@click.argument("new", metavar="[B]", default="workspace")
@click.option("--json", "as_json", is_flag=True, help="Print every difference as JSON.")
def diff(old: str, new: str, as_json: bool) -> None:
    """Show how dataset B differs from A: columns, months, rows.

    A and B are folders of datasets, tags, commits, branches, or `workspace` (the default of B: `data/dataset` of the
    working tree). A revision's files come from the local cache or the remotes, and only those that differ are fetched.
    Months with the same hash in `contents.json` are not read; in the others, each common column is compared bitwise.

    \b
    Examples:
      gogooku3 dataset diff tier1@v1.0.0
      gogooku3 dataset diff tier1@v1.0.0 tier1@v1.1.0 --json

    Exit codes: 0 compared, whether they differ or not; 3 a side is not a dataset, or no intact copy is found; 5 a
    file does not match its dataset's checksums; 7 a remote is needed and cannot be reached; 8 a name is neither a
    folder nor a revision.
    """
    from gogooku3.recovery.dataset_diff.compare import dataset_diff

    with progress_bar() as progress:
        result = dataset_diff(Path.cwd(), old, new, progress)
    if as_json:
        echo_json({"old": old, "new": new, "same": result.same, **asdict(result)})
        return
    printer = console()
    if result.same:
        printer.print("same: columns, settings, every row of every month")
        return
    for table in _tables(result, old, new):
        printer.print(table)


@dataset.command()
@click.option("--share", metavar="K/N", callback=_share, default="1/1", show_default=True, help="Share K of N.")
@click.option("--json", "as_json", is_flag=True, help="Print the months of the share as JSON.")
def make(share: tuple[int, int], as_json: bool) -> None:
    """Build a share of the months of `data/dataset`.

    From `data/quotes`, with the parameters of `params.yaml`. Share 2/5 is every fifth calendar year from the second on.
    The months are written to `data/.dataset.partial`, and finished ones are kept. Several processes can build shares at
    the same time, and so can several machines, whose `data/.dataset.partial` is then copied here (`rsync -a --update`:
    the newer record of a month counts). `dvc repro dataset` then builds the missing months and assembles the dataset,
    bitwise identical on every machine.

    \b
    Examples:
      gogooku3 dataset make --share 1/3

    Exit codes: 0 the share is built; 2 the configuration is wrong; 3 the quotes are invalid or missing; 4 a worker
    process was killed, or another clone's source is installed.
    """
    from gogooku3 import config
    from gogooku3.runtime import numerics

    source.require(Path.cwd())
    params = config.load()
    numerics.pin(params.numerics)
    # The libraries behind these read the pinned settings when they load.
    from gogooku3.assembly.build import make_share
    from gogooku3.assembly.history import History
    from gogooku3.assembly.month_cache import MonthCache

    months_cache = MonthCache(paths.DATASET, paths.dvc_cache())
    months = make_share(History.read(paths.QUOTES), params.dataset, months_cache, *share)
    if as_json:
        content = {"share": share[0], "shares": share[1], "months": months, "folder": str(months_cache.root)}
        echo_json(content)
    else:
        spans = f": {_spans(months)}" if months else ""
        echo(f"share {share[0]} of {share[1]}: {len(months)} months in {months_cache.root}{spans}")


def _tables(result: DatasetDiff, old: str, new: str) -> Iterator[Table]:
    if result.columns:
        table = _titled("Columns", "file", "change", "columns", "which")
        for (kind, change), of_change in groupby(result.columns, lambda column: (column.kind, column.change)):
            columns = list(of_change)
            names = abbreviate(
                (_column(column.change, column.name, column.old, column.new) for column in columns), limit=_SHOWN
            )
            table.add_row(kind, change, str(len(columns)), Text(names))
        yield table
    if result.settings:
        table = _titled("Settings", "name", old, new)
        for setting in result.settings:
            table.add_row(Text(setting.name, style="bold"), _value(setting.old), _value(setting.new))
        yield table
    table = _titled("Months", "file", "added", "removed", "changed", "same")
    for of_kind in result.months:
        changed = [month.month for month in of_kind.changed]
        spans = (_spans(months) for months in (of_kind.added, of_kind.removed, changed))
        table.add_row(of_kind.kind, *spans, str(of_kind.same))
    yield table
    if any(of_kind.changed for of_kind in result.months):
        yield _changed(result.months)


def _column(change: str, name: str, old: str | None, new: str | None) -> str:
    if change == "reordered":
        return f"{new} where {old} belongs"
    return f"{name} ({new} for {old})" if change in ("retyped", "redefined") else name


def _changed(months: Iterable[Months]) -> Table:
    table = _titled("Changed months", "file", "month", "rows removed", "rows added", "columns that differ")
    for of_kind in months:
        for month in of_kind.changed:
            table.add_row(of_kind.kind, month.month, _rows(month.removed), _rows(month.added), _columns(month))
    return table


def _columns(month: Month) -> Text:
    texts = (f"{name} in {rows.count:,} rows, first {rows.date} {rows.code}" for name, rows in month.values.items())
    return Text(f"{len(month.values)}: {abbreviate(texts, separator='; ', limit=_SHOWN)}" if month.values else "none")


def _rows(rows: Rows | None) -> str:
    return "" if rows is None else f"{rows.count:,}, first {rows.date} {rows.code}"


def _spans(months: list[str]) -> str:
    """Consecutive months as one span: `2020-09 to 2021-03, 2021-05`."""
    numbers = [12 * int(month[:4]) + int(month[5:]) for month in months]
    runs = groupby(range(len(months)), lambda index: numbers[index] - index)
    spans = [[months[index] for index in run] for _, run in runs]
    return ", ".join(span[0] if len(span) == 1 else f"{span[0]} to {span[-1]}" for span in spans)


def _value(value: Any) -> Text:
    return Text("missing", style="dim") if value is None else Text(str(value))


def _titled(title: str, *columns: str) -> Table:
    headers = (Column(Text(column), overflow="fold") for column in columns)
    return Table(*headers, title=title, title_justify="left", title_style="bold")
