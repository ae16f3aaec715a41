"""The data quality checks: one file per check, each with its thresholds; this module lists and runs them."""

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
    plausibility,
    quotes,
    splits,
    targets,
)
from gogooku3.quality.finding import Finding, Level
from gogooku3.quality.statistics import Statistics

Findings = Mapping[str, Sequence[Finding]]
"""The findings of every check, by its name."""


@dataclass(frozen=True)
class Check:
    """A data quality check."""

    name: str
    title: str
    rule: str
    """The condition that a dataset passes."""
    check: Callable[[Statistics], Iterator[Finding]]


CHECKS = (
    Check("coverage", "Coverage", coverage.RULE, coverage.check),
    Check("missing", "Missing values", missing.RULE, missing.check),
    Check("dead", "Dead features", dead.RULE, dead.check),
    Check("constant", "Constant features", constant.RULE, constant.check),
    Check("duplicates", "Duplicate features", duplicates.RULE, duplicates.check),
    Check("outliers", "Outliers", outliers.RULE, outliers.check),
    Check("quotes", "Rules of the quotes", quotes.RULE, quotes.check),
    Check("splits", "Splits and embargo", splits.RULE, splits.check),
    Check("targets", "Targets", targets.RULE, targets.check),
    Check("plausibility", "Plausibility", plausibility.RULE, plausibility.check),
    Check("graph", "Graph", graph.RULE, graph.check),
)


def judge(statistics: Statistics) -> Findings:
    """Runs every check."""
    return {check.name: list(check.check(statistics)) for check in CHECKS}


def total(by_check: Findings, level: Level) -> int:
    """The number of findings of a level."""
    return sum(finding.level == level for findings in by_check.values() for finding in findings)
