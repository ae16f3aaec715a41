"""Check: duplicate and nearly duplicate features."""

from __future__ import annotations

from collections.abc import Iterator

from gogooku3.quality.finding import Finding
from gogooku3.quality.statistics import Statistics

ALIKE = 0.999
"""Absolute correlation above which two features count as nearly duplicate."""

RULE = f"No two features are equal in every row. Pairs with a correlation beyond ±{ALIKE} in a sample are noted."


def check(statistics: Statistics) -> Iterator[Finding]:
    """Groups of equal features, and pairs of nearly equal ones."""
    names = statistics.schema.names
    groups = [tuple(names[index] for index in indices) for indices in statistics.columns.identical]
    for group in groups:
        yield Finding("duplicate", "fault", "the same value in every row", features=group)
    for *pair, correlation in statistics.correlation.above(ALIKE):
        if not any(set(pair) <= set(group) for group in groups):
            yield Finding(
                "near_duplicate",
                "note",
                f"correlation {correlation:.4f}",
                features=tuple(pair),
                values={"correlation": round(correlation, 6)},
            )
