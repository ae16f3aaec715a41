"""`gogooku3 diff`: all differences between two experiments."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Column, Table
from rich.text import Text

from gogooku3.cli.output import console, echo_json
from gogooku3.package.results import ABSENT
from gogooku3.recovery.releases.git import toplevel

if TYPE_CHECKING:
    from gogooku3.recovery.changes import Change
    from gogooku3.recovery.diff import Diff

_TITLES = {
    "parameters": "Parameters",
    "split": "Split",
    "features": "Features",
    "data": "Data",
    "environment": "Environment",
}


@click.command()
@click.argument("old", metavar="A")
@click.argument("new", metavar="[B]", default="workspace")
@click.option("--json", "as_json", is_flag=True, help="Print every difference as JSON.")
def diff(old: str, new: str, as_json: bool) -> None:
    """Show the differences between two revisions.

    Parameters come first, then split, features, data, environment, code and metrics. A and B are tags, commits,
    branches, or `workspace` (the default of B). Metrics have their 95 % intervals; `–` marks a metric that a
    revision does not have.

    \b
    Examples:
      gogooku3 diff tier1@v1.0.0
      gogooku3 diff tier1@v1.0.0 tier2@v1.0.0 --json

    Exit codes: 0 compared, whether they differ or not; 3 a lock file or metrics cannot be read; 8 a name is not a
    revision.
    """
    from gogooku3.recovery.diff import diff as compare

    result = compare(toplevel(Path.cwd()), old, new)
    if as_json:
        content = asdict(result)
        content["metrics"] = [asdict(change) | {"difference": change.difference} for change in result.metrics]
        echo_json({"old": old, "new": new, **content})
        return
    printer = console()
    tables = _tables(result, old, new)
    for table in tables:
        printer.print(table)
    same = [name for name, changes in asdict(result).items() if not changes]
    if same:
        printer.print(f"same: {', '.join(same)}")


def _tables(result: Diff, old: str, new: str) -> list[Table]:
    tables = []
    for section, title in _TITLES.items():
        changes: list[Change] = getattr(result, section)
        if changes:
            table = _titled(title, "name", old, new)
            for change in changes:
                table.add_row(Text(change.name, style="bold"), _cell(change.old, "red"), _cell(change.new, "green"))
            tables.append(table)
    if result.code:
        table = _titled("Code", "package", "files", "lines added", "lines removed")
        for package in result.code:
            added, removed = Text(f"+{package.added}", "green"), Text(f"-{package.removed}", "red")
            table.add_row(package.room, str(package.files), added, removed)
        tables.append(table)
    if result.metrics:
        tables.append(_metrics(result.metrics, old, new))
    return tables


def _metrics(changes: list[Change], old: str, new: str) -> Table:
    table = _titled("Metrics", "name", old, new, "difference")
    for change in changes:
        difference = "" if change.difference is None else f"{change.difference:+.4f}"
        table.add_row(Text(change.name), Text(_number(change.old)), Text(_number(change.new)), difference)
    return table


def _titled(title: str, *columns: str) -> Table:
    headers = (Column(Text(column), overflow="fold") for column in columns)
    return Table(*headers, title=title, title_justify="left", title_style="bold")


def _cell(value: Any, style: str) -> Text:
    return Text("missing", style="dim") if value is None else Text(str(value), style=style)


def _number(value: Any) -> str:
    """A number, or an estimate with its interval; `ABSENT` without either."""
    if isinstance(value, dict):
        from gogooku3.recovery.releases.estimates import Estimate

        return str(Estimate(value["value"], value.get("low"), value.get("high")))
    if value is None:
        return ABSENT
    return f"{value:.4f}" if isinstance(value, float) else str(value)
