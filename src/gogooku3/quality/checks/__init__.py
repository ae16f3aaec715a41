"""What is judged of a dataset: one file per check, each with its bounds; here they stand in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gogooku3.quality.checks import (
    constant,
    coverage,
    dead,
    duplicates,
    graph,
    missing,
    outliers,
    quotes,
    splits,
    targets,
)
from gogooku3.quality.finding import Finding, Level
from gogooku3.quality.survey import Survey

Found = Mapping[str, Sequence[Finding]]
"""The findings of every check, by its name."""


@dataclass(frozen=True)
class Check:
    """A check by name."""

    name: str
    title: str
    rule: str
    """What holds where it finds nothing."""
    found: Callable[[Survey], Iterator[Finding]]


CHECKS = (
    Check("coverage", "Coverage", coverage.RULE, coverage.found),
    Check("missing", "Missing values", missing.RULE, missing.found),
    Check("dead", "Dead features", dead.RULE, dead.found),
    Check("constant", "Constant features", constant.RULE, constant.found),
    Check("duplicates", "Duplicate features", duplicates.RULE, duplicates.found),
    Check("outliers", "Outliers", outliers.RULE, outliers.found),
    Check("quotes", "Rules of the quotes", quotes.RULE, quotes.found),
    Check("splits", "Splits and embargo", splits.RULE, splits.found),
    Check("targets", "Targets", targets.RULE, targets.found),
    Check("graph", "Graph", graph.RULE, graph.found),
)


def judge(survey: Survey) -> Found:
    """Runs every check."""
    return {check.name: list(check.found(survey)) for check in CHECKS}


def total(found: Found, level: Level) -> int:
    """How many findings are of a level."""
    return sum(finding.level == level for findings in found.values() for finding in findings)
