"""Heat map of missing values by month: for the whole dataset, and for each feature."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from gogooku3.dataset.schema import target_name
from gogooku3.pages.words import percent
from gogooku3.quality.bar_counts import Counts
from gogooku3.quality.checks import Findings
from gogooku3.quality.columns import ratio
from gogooku3.quality.finding import Finding, months_with_errors
from gogooku3.quality.statistics import Statistics

_SHADES = ((0.01, "there-5"), (0.05, "there-4"), (0.2, "there-3"), (0.5, "there-2"), (0.999, "there-1"))
"""CSS class up to each share of missing values; beyond the last, all values are missing."""


@dataclass(frozen=True)
class Cell:
    """One month: a CSS class and a tooltip."""

    shade: str
    title: str


@dataclass(frozen=True)
class Row:
    """The cells of one kind of values."""

    name: str
    missing: float
    """Share of missing values over all months; NaN if none is expected."""
    cells: list[Cell]

    @property
    def runs(self) -> list[tuple[str, int]]:
        """Runs of consecutive months with the same shade, with their lengths."""
        return [(shade, len(list(run))) for shade, run in groupby(cell.shade for cell in self.cells)]


def of_dataset(statistics: Statistics, by_check: Findings) -> list[Row]:
    """Rows for bars, feature families, targets and neighbours; months with errors are highlighted."""
    bar_counts, columns, targets, graphs = (
        statistics.bar_counts,
        statistics.columns,
        statistics.targets,
        statistics.graphs,
    )

    def row(name: str, known_M: Counts, expected_M: Counts, findings: Iterable[Finding]) -> Row:
        return _row(name, statistics.months, known_M, expected_M, months_with_errors(findings))

    bars_M, expected_M = bar_counts.by_month(bar_counts.bars_T), bar_counts.by_month(bar_counts.listed_T)
    rows = [row("bars", bars_M, expected_M, by_check["coverage"])]
    families = [feature.family for feature in statistics.schema.features]
    for family in dict.fromkeys(families):
        indices = np.flatnonzero([family == each for each in families])
        names = {statistics.schema.names[index] for index in indices}
        findings = [finding for finding in by_check["missing"] if names & set(finding.features)]
        rows.append(row(family, columns.known_MF[:, indices].sum(axis=1), columns.rows_M * len(indices), findings))
    for index, horizon in enumerate(statistics.schema.horizons):
        name = target_name(horizon)
        findings = [finding for finding in by_check["targets"] if finding.values.get("target") == name]
        rows.append(row(name, targets.known_MH[:, index], targets.due_MH[:, index], findings))
    return [*rows, row("neighbours", graphs.linked_M, graphs.present_M, by_check["graph"])]


def of_features(statistics: Statistics, by_check: Findings) -> list[Row]:
    """Rows for all features; a dead feature is highlighted in all months."""
    dead = {name for finding in by_check["dead"] for name in finding.features}
    rows = []
    for index, name in enumerate(statistics.schema.names):
        highlighted = months_with_errors(finding for finding in by_check["missing"] if name in finding.features)
        known_M = statistics.columns.known_MF[:, index]
        rows.append(
            _row(
                name,
                statistics.months,
                known_M,
                statistics.columns.rows_M,
                statistics.months if name in dead else highlighted,
            )
        )
    return rows


def _row(name: str, months: Sequence[str], known_M: Counts, expected_M: Counts, highlighted: Collection[str]) -> Row:
    shares = 1.0 - ratio(known_M, expected_M)
    cells = [_cell(share, month, month in highlighted) for share, month in zip(shares, months, strict=True)]
    return Row(name, float(1.0 - ratio(known_M.sum(), expected_M.sum())), cells)


def _cell(missing: float, month: str, highlighted: bool) -> Cell:
    tooltip = f"{month}: nothing expected" if np.isnan(missing) else f"{month}: {percent(missing)} missing"
    if highlighted:
        return Cell("fault", tooltip)
    if np.isnan(missing):
        return Cell("none", tooltip)
    return Cell(next((shade for bound, shade in _SHADES if missing <= bound), "there-0"), tooltip)
