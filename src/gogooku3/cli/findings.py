"""What checks found, as a table for people."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Column, Table
from rich.text import Text

from gogooku3.recovery.checks.verdict import Check

_STYLES = {"passed": "green", "failed": "bold red", "skipped": "dim", "noted": "yellow"}


def table(title: str, checks: Iterable[Check]) -> Table:
    """One row per check: its outcome, what it found, and what to do."""
    rows = Table("check", "outcome", Column("found", overflow="fold"), title=Text(title))
    for check in checks:
        finding = check.finding
        found = Text(finding.found)
        if finding.hint:
            found.append(f"\nhint: {finding.hint}", style="dim")
        rows.add_row(check.name, Text(finding.outcome, style=_STYLES[finding.outcome]), found)
    return rows
