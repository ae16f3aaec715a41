"""Features, targets, graph and splits: section `dataset` of `params.yaml`."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from gogooku3.config import renames
from gogooku3.config.section import require, section


@section
class Graph:
    """The k-nearest-neighbour graph of rolling return correlations."""

    window: int
    """Sessions of returns per correlation."""
    neighbours: int
    """Neighbours per stock (k)."""
    refresh: int
    """Sessions between two graphs."""

    def __post_init__(self) -> None:
        require(self.window >= 20, f"`dataset.graph.window` is {self.window}", "use 20 sessions or more")
        require(self.neighbours >= 1, f"`dataset.graph.neighbours` is {self.neighbours}", "use 1 or more")
        require(self.refresh >= 1, f"`dataset.graph.refresh` is {self.refresh}", "use 1 session or more")


@section
class Split:
    """train | embargo | validation | embargo | test, split by date, the same for all stocks."""

    train_from: date
    validation_from: date
    test_from: date
    embargo: int
    """Sessions excluded before validation and before test, against leakage of targets."""

    def __post_init__(self) -> None:
        require(
            self.train_from < self.validation_from < self.test_from,
            f"`dataset.split` runs {self.train_from}, {self.validation_from}, {self.test_from}",
            "order the dates: train_from < validation_from < test_from",
        )


@section
class JoinedTable:
    """A point-in-time table for an as-of join, under its own column names."""

    code: str
    """Column with the stock code."""
    published: str
    """Column with the publication date."""
    values: dict[str, str]
    """Columns that become features, keyed by the last part of the feature's name."""
    lag: int
    """Sessions from the publication date to the first session that knows a row; 0: published before that day's
    close."""
    stale_after: int | None
    """Sessions for which a value is valid; null: until the next value."""

    def __post_init__(self) -> None:
        require(bool(self.values), "a table of `dataset.joined` has no `values`", "name at least one column")
        require(self.lag >= 0, f"`lag` of a table of `dataset.joined` is {self.lag}", "use 0 sessions or more")
        require(
            self.stale_after is None or self.stale_after >= 1,
            f"`stale_after` of a table of `dataset.joined` is {self.stale_after}",
            "use 1 session or more, or null for values that are valid until the next one",
        )


@section
class Joined:
    """Tables in addition to the bars."""

    folder: str
    """Folder of the tables, each `<name>.parquet`; DVC hashes the whole folder."""
    tables: dict[str, JoinedTable]


def _refuse_old_name(name: Any) -> Any:
    """Rejects the old name of a feature set: DVC compares the written values, so two names would be two sets."""
    new_name = renames.FEATURE_SETS.get(name) if isinstance(name, str) else None
    require(
        new_name is None,
        f"`dataset.features` is `{name}`: that set is called `{new_name}` now",
        f"use the new name, in `params.yaml` or with `dvc exp run -S dataset.features={new_name}`",
    )
    return name


@section
class Dataset:
    """Section `dataset`."""

    features: Annotated[Literal["core", "extended", "full"], BeforeValidator(_refuse_old_name)]
    """The named set of features; `gogooku3 features` lists them."""
    clip: float
    """Bound of the robust z-score, in robust standard deviations."""
    horizons: list[int]
    """Horizons of the forward returns, in sessions."""
    graph: Graph
    split: Split
    joined: Joined

    def __post_init__(self) -> None:
        require(self.clip > 0, f"`dataset.clip` is {self.clip}", "use a positive bound, such as 5.0")
        require(
            bool(self.horizons) and min(self.horizons) >= 1 and sorted(set(self.horizons)) == self.horizons,
            f"`dataset.horizons` is {self.horizons}",
            "list positive session counts in ascending order",
        )
        require(
            self.split.embargo >= max(self.horizons),
            f"`dataset.split.embargo` of {self.split.embargo} sessions is shorter than the longest horizon,"
            f" {max(self.horizons)}: targets of one split would leak into the next",
            f"set `dataset.split.embargo` to at least {max(self.horizons)}",
        )
