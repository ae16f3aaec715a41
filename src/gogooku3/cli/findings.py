"""Prints the findings of checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Column, Table
from rich.text import Text

from gogooku3.cli.output import echo, one_line
from gogooku3.recovery.checks.verdict import Check

_STYLES = {"passed": "green", "failed": "bold red", "skipped": "dim", "noted": "yellow"}


def print_verdict(verdict: Mapping[str, Any], *, recorded: bool = True) -> bool:
    """Prints the findings of `verify --json` for a release in a few lines; returns whether the package is intact.

    Args:
        recorded: whether the model was compared with the record in the tag.
    """
    for check in verdict["checks"]:
        if check["outcome"] in ("failed", "noted"):
            echo(one_line(f"{check['outcome']}: {check['name']}: {check['found']}"))
    if verdict["good"] and recorded:
        echo("verified: this is the model that was released", fg="green")
    elif verdict["good"]:
        echo(
            "NOT compared: the package is intact, but the tag has no readable record of its model. Nothing shows that"
            " this is the model that was released",
            fg="yellow",
            bold=True,
        )
    else:
        echo("NOT verified: this is not the model that was released", fg="red", bold=True)
    return bool(verdict["good"])


def table(title: str, checks: Iterable[Check]) -> Table:
    """Table with one row per check: outcome, finding and hint."""
    rows = Table("check", "outcome", Column("found", overflow="fold"), title=Text(title))
    for check in checks:
        finding = check.finding
        found = Text(finding.found)
        if finding.hint:
            found.append(f"\nhint: {finding.hint}", style="dim")
        rows.add_row(check.name, Text(finding.outcome, style=_STYLES[finding.outcome]), found)
    return rows
