"""Compares two datasets: columns and settings from their JSON files, months by hash, then value by value.

A month with the same hash in both `contents.json` is not read. The others are read one at a time, so at most two files
are in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from gogooku3.dataset.contents import Contents
from gogooku3.dataset.schema import KEY, Column, Schema
from gogooku3.recovery.changes import Change, changes
from gogooku3.recovery.checks.features import compare as compare_features
from gogooku3.recovery.dataset_diff import month
from gogooku3.recovery.dataset_diff.side import Files, Side, document, open_side, schema
from gogooku3.recovery.releases.git import WORKSPACE
from gogooku3.recovery.storage.scan import Progress

_KEYS = {"features": tuple(KEY), "targets": tuple(KEY), "graph": (*KEY, "Rank")}
"""The key columns of a row, by kind of file."""


@dataclass(frozen=True)
class ColumnChange:
    """A column of features or targets that is `added`, `removed`, `retyped`, `reordered` or `redefined`.

    `old` and `new` are its type, the column at its position, or its definition, on each side.
    """

    kind: str
    change: str
    name: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class Months:
    """The months of one kind of file: added, removed and changed ones, and the number of identical ones."""

    kind: str
    added: list[str]
    removed: list[str]
    changed: list[month.Month]
    same: int


@dataclass(frozen=True)
class DatasetDiff:
    """All differences of two datasets."""

    columns: list[ColumnChange]
    settings: list[Change]
    """Neighbours, clip, splits, and statistics fitted on the training sessions."""
    months: list[Months]

    @property
    def same(self) -> bool:
        """Whether there is no difference."""
        months = (of_kind.added or of_kind.removed or of_kind.changed for of_kind in self.months)
        return not (self.columns or self.settings or any(months))


def dataset_diff(
    here: Path, old: str, new: str = WORKSPACE, progress: Progress = lambda _what, _done, _total: None
) -> DatasetDiff:
    """Compares two datasets, each given as a folder, a revision or `workspace`.

    Args:
        here: folder names are relative to it, and revisions are of its repository.

    Raises:
        GitError: a name is neither a folder nor a revision.
        DataError: a side is not a dataset, or no source has an intact copy of one of its files.
        MismatchError: a file does not match its dataset's schema or table of contents.
        StoreError: a remote that may have the files cannot be reached.
    """
    with open_side(old, here) as one, open_side(new, here) as two:
        schemas = schema(one), schema(two)
        return DatasetDiff(
            columns=_columns(*schemas),
            settings=changes(_settings(one, schemas[0]), _settings(two, schemas[1])),
            months=_months((one, two), schemas, (one.files(), two.files()), progress),
        )


def _columns(old: Schema, new: Schema) -> list[ColumnChange]:
    names = {column.name: column for column in new.features}
    pairs = [(column, names[column.name]) for column in old.features if column.name in names]
    return [
        *(_feature(change) for change in compare_features(old, new)),
        *(
            ColumnChange("features", "redefined", one.name, _definition(one), _definition(other))
            for one, other in pairs
            if one.kind == other.kind and _definition(one) != _definition(other)
        ),
        *(
            ColumnChange("targets", "added" if each.old is None else "removed", each.name, each.old, each.new)
            for each in changes(_types(old), _types(new))
        ),
    ]


def _feature(change: Mapping[str, str | None]) -> ColumnChange:
    """Converts a difference between package and dataset: a `missing` column is `removed` from the old side."""
    kind = "removed" if change["change"] == "missing" else str(change["change"])
    return ColumnChange("features", kind, str(change["column"]), change["package"], change["dataset"])


def _types(schema: Schema) -> dict[str, str]:
    return {name: str(dtype) for name, dtype in schema.target_columns.items()}


def _definition(column: Column) -> str:
    return f"{column.family}, lookback {column.lookback}: {column.definition}"


def _settings(side: Side, schema: Schema) -> dict[str, Any]:
    preprocess, split = document(side, "preprocess.json"), document(side, "split.json")
    return {
        "neighbours": schema.neighbours,
        "clip": preprocess["clip"],
        **{f"split.{name}": value for name, value in split.items()},
        **{f"fitted.{name}": value for name, value in preprocess["session"].items()},
    }


def _months(
    sides: tuple[Side, Side], schemas: tuple[Schema, Schema], files: tuple[Files, Files], progress: Progress
) -> list[Months]:
    old, new = files
    shared = sorted(old.keys() & new.keys())
    differing = [name for name in shared if old[name]["sha256"] != new[name]["sha256"]]
    compared = {}
    for done, name in enumerate(differing):
        progress(f"comparing {name}", done, len(differing))
        compared[name] = _compared(name, sides, schemas, files)
    return [
        Months(
            kind,
            added=_months_of(kind, new.keys() - old.keys()),
            removed=_months_of(kind, old.keys() - new.keys()),
            changed=[compared[name] for name in differing if _is_of(kind, name)],
            same=sum(_is_of(kind, name) for name in shared if name not in compared),
        )
        for kind in _KEYS
    ]


def _is_of(kind: str, name: str) -> bool:
    return name.startswith(f"{kind}/")


def _months_of(kind: str, names: Iterable[str]) -> list[str]:
    return sorted(Path(name).stem for name in names if _is_of(kind, name))


def _compared(
    name: str, sides: tuple[Side, Side], schemas: tuple[Schema, Schema], files: tuple[Files, Files]
) -> month.Month:
    """Reads and compares a month of both sides; both frames are freed on return."""
    old, new = (
        _frame(side, name, schema.columns(name), entries)
        for side, schema, entries in zip(sides, schemas, files, strict=True)
    )
    return month.compare(Path(name).stem, old, new, _KEYS[Path(name).parent.name])


def _frame(side: Side, name: str, columns: dict[str, pl.DataType], files: Files) -> pl.DataFrame:
    with side.folder_with(name) as folder:
        return Contents(folder, files).frame(name, columns)
