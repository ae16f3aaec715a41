"""Is there a feature that only says what another one says?"""

from __future__ import annotations

from collections.abc import Iterator

from gogooku3.quality.finding import Finding
from gogooku3.quality.statistics import Statistics

ALIKE = 0.999
"""Correlation from which two features are called alike."""

RULE = f"No two features are equal in every row. Pairs whose correlation is beyond ±{ALIKE} in a sample are noted."


def check(statistics: Statistics) -> Iterator[Finding]:
    """Groups of equal features, and pairs that are nearly so."""
    names = statistics.schema.names
    groups = [tuple(names[place] for place in places) for places in statistics.columns.identical]
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
