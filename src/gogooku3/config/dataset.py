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
    """Sessions of returns in a correlation."""
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
    """train | embargo | validation | embargo | test, cut by date for all stocks alike."""

    train_from: date
    validation_from: date
    test_from: date
    embargo: int
    """Sessions left out before validation and before test."""

    def __post_init__(self) -> None:
        require(
            self.train_from < self.validation_from < self.test_from,
            f"`dataset.split` runs {self.train_from}, {self.validation_from}, {self.test_from}",
            "train_from, validation_from and test_from must follow each other",
        )


@section
class JoinedTable:
    """A table that is joined as of each session, under its own column names."""

    code: str
    """The column of the stocks' codes."""
    published: str
    """The column of the days on which the rows were published."""
    values: dict[str, str]
    """The columns that become features, by the last part of the feature's name."""
    lag: int
    """Sessions from the day of publication to the first that knows a row; 0: it is out before that day's close."""
    stale_after: int | None
    """Sessions for which a value stands; null: until the next."""

    def __post_init__(self) -> None:
        require(bool(self.values), "a table of `dataset.joined` has no `values`", "name at least one column")
        require(self.lag >= 0, f"`lag` of a table of `dataset.joined` is {self.lag}", "use 0 sessions or more")
        require(
            self.stale_after is None or self.stale_after >= 1,
            f"`stale_after` of a table of `dataset.joined` is {self.stale_after}",
            "use 1 session or more, or null for values that stand until the next",
        )


@section
class Joined:
    """Tables beside the bars."""

    folder: str
    """Where they lie, each as `<name>.parquet`; hashed as a whole."""
    tables: dict[str, JoinedTable]


def _refuse_former(name: Any) -> Any:
    """A set has one name in working trees: to DVC, which compares values as they are written, two were two sets."""
    today = renames.FEATURE_SETS.get(name) if isinstance(name, str) else None
    require(
        today is None,
        f"`dataset.features` is `{name}`: that set is called `{today}` now",
        f"use its new name, in `params.yaml` or by `dvc exp run -S dataset.features={today}`",
    )
    return name


@section
class Dataset:
    """Section `dataset`."""

    features: Annotated[Literal["core", "extended", "full"], BeforeValidator(_refuse_former)]
    """The named set of features; `gogooku3 features` lists them."""
    clip: float
    """Bound of the robust z-score, in robust standard deviations."""
    horizons: list[int]
    """Sessions over which forward returns are measured."""
    graph: Graph
    split: Split
    joined: Joined

    def __post_init__(self) -> None:
        require(self.clip > 0, f"`dataset.clip` is {self.clip}", "use a positive bound, such as 5.0")
        require(
            bool(self.horizons) and min(self.horizons) >= 1 and sorted(set(self.horizons)) == self.horizons,
            f"`dataset.horizons` is {self.horizons}",
            "list positive session counts in rising order",
        )
        require(
            self.split.embargo >= max(self.horizons),
            f"`dataset.split.embargo` of {self.split.embargo} sessions is shorter than the longest horizon,"
            f" {max(self.horizons)}: targets of one split would reach into the next",
            f"set `dataset.split.embargo` to at least {max(self.horizons)}",
        )
