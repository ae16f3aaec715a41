"""Is there a feature that only says what another one says?"""

from __future__ import annotations

from collections.abc import Iterator

from gogooku3.quality.finding import Finding
from gogooku3.quality.survey import Survey

ALIKE = 0.999
"""Correlation from which two features are called alike."""

RULE = f"No two features are equal in every row. Pairs whose correlation is beyond ±{ALIKE} in a sample are noted."


def found(survey: Survey) -> Iterator[Finding]:
    """Groups of equal features, and pairs that are nearly so."""
    names = survey.schema.names
    groups = [tuple(names[place] for place in places) for places in survey.columns.identical]
    for group in groups:
        yield Finding("duplicate", "fault", "the same value in every row", features=group)
    for *pair, correlation in survey.likeness.above(ALIKE):
        if not any(set(pair) <= set(group) for group in groups):
            yield Finding(
                "near_duplicate",
                "note",
                f"correlation {correlation:.4f}",
                features=tuple(pair),
                values={"correlation": round(correlation, 6)},
            )
