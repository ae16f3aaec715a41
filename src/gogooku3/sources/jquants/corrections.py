"""Corrections: rows that the exchange changed after the first download."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from gogooku3.sources.jquants.responses import COLUMNS, Kind, key


@dataclass(frozen=True)
class Correction:
    """Changed, added and removed rows of one kind and session."""

    kind: Kind
    session: date
    changed: int
    added: int
    removed: int
    example: str
    """A row that changed: `13010 C 3115.0 → 3120.0`, `13010 added` or `13010 removed`."""

    def __str__(self) -> str:
        counts = {"changed": self.changed, "added": self.added, "removed": self.removed}
        summary = ", ".join(f"{count} {change}" for change, count in counts.items() if count)
        return f"{self.kind} of {self.session}: {summary} ({self.example})"


def corrections(kind: Kind, before: pl.DataFrame, now: pl.DataFrame) -> list[Correction]:
    """The differences between two downloads of the same sessions, one per session that differs."""
    days = pl.concat([before["Date"], now["Date"]]).unique().sort()
    per_session = (_correction(kind, day, before.filter(Date=day), now.filter(Date=day)) for day in days)
    return [correction for correction in per_session if correction is not None]


def _correction(kind: Kind, session: date, before: pl.DataFrame, now: pl.DataFrame) -> Correction | None:
    if before.equals(now):
        return None
    names = key(COLUMNS[kind])
    added, removed = now.join(before, on=names, how="anti"), before.join(now, on=names, how="anti")
    both = before.join(now, on=names, suffix=" now", maintain_order="left")
    values = [name for name in COLUMNS[kind] if name not in names]
    changed = both.filter(pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name} now")) for name in values))
    examples = [
        f"{_name(row)} {name} {row[name]} → {row[f'{name} now']}"
        for row in changed.head(1).iter_rows(named=True)
        for name in values
        if row[name] != row[f"{name} now"]
    ]
    examples += [f"{_name(row)} added" for row in added.head(1).iter_rows(named=True)]
    examples += [f"{_name(row)} removed" for row in removed.head(1).iter_rows(named=True)]
    return Correction(kind, session, len(changed), len(added), len(removed), examples[0])


def _name(row: dict[str, object]) -> object:
    return row.get("Code", "TOPIX")
