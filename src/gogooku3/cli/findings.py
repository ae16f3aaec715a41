"""Prints the findings of checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import click
from rich.table import Column, Table
from rich.text import Text

from gogooku3.recovery.checks.verdict import Check

_STYLES = {"passed": "green", "failed": "bold red", "skipped": "dim", "noted": "yellow"}


def print_verdict(verdict: Mapping[str, Any]) -> bool:
    """Prints the result of `verify --json` in a few lines; returns True if no check failed."""
    for check in verdict["checks"]:
        if check["outcome"] in ("failed", "noted"):
            click.echo(f"{check['outcome']}: {check['name']}: {check['found']}")
    if verdict["good"]:
        click.secho("verified: this is the model that was released", fg="green")
    else:
        click.secho("NOT verified: this is not the model that was released", fg="red", bold=True)
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
