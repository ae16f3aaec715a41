"""Collects the statistics of a dataset in one pass over its files, one month in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from rich.console import Console
from rich.progress import track

from gogooku3.dataset.contents import Contents
from gogooku3.dataset.schema import GRAPH_COLUMNS, REBUILD, Schema, read_json
from gogooku3.errors import DataError
from gogooku3.quality.bar_counts import BarCounts
from gogooku3.quality.columns import Columns
from gogooku3.quality.feature_correlation import FeatureCorrelation
from gogooku3.quality.feature_skill import FeatureSkill
from gogooku3.quality.graphs import Graphs
from gogooku3.quality.targets import Targets


@dataclass(frozen=True, eq=False)
class Statistics:
    """All statistics of a dataset, the input of the checks."""

    schema: Schema
    clip: float
    """Clip bound of the normalised values."""
    split: dict[str, Any]
    """The content of `split.json`."""
    quotes: dict[str, Any]
    """The validation report of the quotes: `gogooku3.quotes.schema.Quotes.report`."""
    months: tuple[str, ...]
    """All calendar months from the first to the last, including months without sessions."""
    bar_counts: BarCounts
    columns: Columns
    correlation: FeatureCorrelation
    skill: FeatureSkill
    targets: Targets
    graphs: Graphs
    oracle: dict[int, float] | None
    """RankIC of the oracle of a synthetic market, by horizon; None for a real market."""


def collect(folder: Path, quotes: dict[str, Any], oracle: dict[str, Any] | None = None) -> Statistics:
    """Reads a whole dataset, verifies it against its table of contents (integrity), and shows a progress bar.

    Args:
        quotes: the validation report of the quotes.
        oracle: the summary of a synthetic market's oracle.

    Raises:
        DataError: a file is missing, unreadable, or not listed.
        MismatchError: columns, rows or values do not match the schema and the table of contents.
    """
    schema = Schema.read(folder / "schema.json")
    preprocess = read_json(folder / "preprocess.json")
    contents = Contents.read(folder)
    months = _calendar(contents, folder)
    bar_counts, correlation = BarCounts(months), FeatureCorrelation(schema, preprocess)
    columns = Columns(schema, preprocess, len(months))
    split = read_json(folder / "split.json")
    skill = FeatureSkill(schema, split)
    for _, frame in _with_progress(contents, "targets", schema.target_columns):
        skill.add_targets(frame)
    for month, frame in _with_progress(contents, "features", schema.feature_columns):
        index = months.index(month)
        columns.add(index, frame, bar_counts.add(index, frame.select("Date", "Code")))
        correlation.add(frame)
        skill.add(frame)
    targets, graphs = Targets(schema, bar_counts), Graphs(bar_counts)
    for month, frame in _with_progress(contents, "targets", schema.target_columns):
        targets.add(months.index(month), frame)
    for _, frame in _with_progress(contents, "graph", GRAPH_COLUMNS):
        graphs.add(frame)
    return Statistics(
        schema=schema,
        clip=preprocess["clip"],
        split=split,
        quotes=quotes,
        months=months,
        bar_counts=bar_counts,
        columns=columns,
        correlation=correlation,
        skill=skill,
        targets=targets,
        graphs=graphs,
        oracle=None if oracle is None else {int(h): float(each["rank_ic"]) for h, each in oracle["horizons"].items()},
    )


def _calendar(contents: Contents, folder: Path) -> tuple[str, ...]:
    names = _months(contents, "features")
    if not names:
        raise DataError(f"`{folder}` has no month of features", hint=REBUILD)
    first, last = (np.datetime64(name, "M") for name in (names[0], names[-1]))
    return tuple(np.arange(first, last + 1).astype(str).tolist())


def _months(contents: Contents, kind: str) -> list[str]:
    return [Path(name).stem for name in contents.names(kind)]


def _with_progress(
    contents: Contents, kind: str, columns: dict[str, pl.DataType]
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Iterates over the months of one kind of file, with a progress bar on stderr."""
    names = _months(contents, kind)
    frames = zip(names, contents.frames(kind, columns), strict=True)
    console = Console(stderr=True)
    return iter(track(frames, kind, len(names), console=console, transient=True, disable=not console.is_terminal))
