"""What is there and what is missing, month by month, in shades: of all that a dataset holds, and of each feature."""

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
"""The shade up to each share of missing values; beyond the last, nothing is there."""


@dataclass(frozen=True)
class Cell:
    """One month: a class of the page's style, and what it says when pointed at."""

    shade: str
    title: str


@dataclass(frozen=True)
class Row:
    """One kind of values in all months."""

    name: str
    missing: float
    """Share over all months; NaN where none could be there."""
    cells: list[Cell]

    @property
    def runs(self) -> list[tuple[str, int]]:
        """Neighbouring months of one shade as one, with how many they are."""
        return [(shade, len(list(run))) for shade, run in groupby(cell.shade for cell in self.cells)]


def of_dataset(statistics: Statistics, found: Findings) -> list[Row]:
    """Bars, families of features, targets and neighbours; a month in which a check found a fault stands out."""
    bar_counts, columns, targets, graphs = (
        statistics.bar_counts,
        statistics.columns,
        statistics.targets,
        statistics.graphs,
    )

    def row(name: str, there_M: Counts, expected_M: Counts, faults: Iterable[Finding]) -> Row:
        return _row(name, statistics.months, there_M, expected_M, months_with_errors(faults))

    bars_M, expected_M = bar_counts.by_month(bar_counts.bars_T), bar_counts.by_month(bar_counts.listed_T)
    rows = [row("bars", bars_M, expected_M, found["coverage"])]
    families = [feature.family for feature in statistics.schema.features]
    for family in dict.fromkeys(families):
        places = np.flatnonzero([family == each for each in families])
        names = {statistics.schema.names[place] for place in places}
        faults = [finding for finding in found["missing"] if names & set(finding.features)]
        rows.append(row(family, columns.known_MF[:, places].sum(axis=1), columns.rows_M * len(places), faults))
    for place, horizon in enumerate(statistics.schema.horizons):
        name = target_name(horizon)
        faults = [finding for finding in found["targets"] if finding.values.get("target") == name]
        rows.append(row(name, targets.known_MH[:, place], targets.due_MH[:, place], faults))
    return [*rows, row("neighbours", graphs.linked_M, graphs.present_M, found["graph"])]


def of_features(statistics: Statistics, found: Findings) -> list[Row]:
    """Every feature; one that is dead stands out in all months."""
    dead = {name for finding in found["dead"] for name in finding.features}
    rows = []
    for place, name in enumerate(statistics.schema.names):
        faults = months_with_errors(finding for finding in found["missing"] if name in finding.features)
        known_M = statistics.columns.known_MF[:, place]
        rows.append(
            _row(
                name,
                statistics.months,
                known_M,
                statistics.columns.rows_M,
                statistics.months if name in dead else faults,
            )
        )
    return rows


def _row(name: str, months: Sequence[str], there_M: Counts, expected_M: Counts, at_fault: Collection[str]) -> Row:
    shares = 1.0 - ratio(there_M, expected_M)
    cells = [_cell(share, month, month in at_fault) for share, month in zip(shares, months, strict=True)]
    return Row(name, float(1.0 - ratio(there_M.sum(), expected_M.sum())), cells)


def _cell(missing: float, month: str, at_fault: bool) -> Cell:
    told = f"{month}: nothing expected" if np.isnan(missing) else f"{month}: {percent(missing)} missing"
    if at_fault:
        return Cell("fault", told)
    if np.isnan(missing):
        return Cell("none", told)
    return Cell(next((shade for bound, shade in _SHADES if missing <= bound), "there-0"), told)
