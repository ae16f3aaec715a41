"""The message of a version tag: a summary as text, then one line of JSON, the record, with the same facts.

`promote` writes it; `tiers` and other commands parse it.
"""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from gogooku3 import paths
from gogooku3.errors import DataError, MismatchError
from gogooku3.package.lineage import Parent
from gogooku3.package.results import ABSENT
from gogooku3.recovery.releases import metrics, tag_objects, tags

SPLITS = ("validation", "test")

_RECORD = re.compile(r"^record: (?P<json>\{.*\})[ \t\r]*$", re.MULTILINE)
_WIDTH = 100


@dataclass(frozen=True)
class Estimate:
    """A metric and its 95 % confidence interval; None if undefined."""

    value: float | None
    low: float | None
    high: float | None

    def __str__(self) -> str:
        if self.value is None:
            return "undefined"
        if self.low is None or self.high is None:
            return f"{self.value:.3f}"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    @property
    def sign(self) -> int | None:
        """1 or -1 if the interval excludes 0, 0 if it holds 0 (within noise), None if there is no interval."""
        if self.low is None or self.high is None:
            return None
        return (self.low > 0) - (self.high < 0)


@dataclass(frozen=True)
class Measured:
    """The metrics of one split that decide on a model."""

    first: str
    last: str
    sharpe: Estimate
    rank_ic: dict[str, Estimate]
    """By horizon in sessions."""

    @property
    def mean_rank_ic(self) -> float | None:
        """Mean RankIC over the horizons, by which two models of a tier are compared; None if one is undefined."""
        values = [estimate.value for estimate in self.rank_ic.values()]
        defined = [value for value in values if value is not None]
        return sum(defined) / len(defined) if values and len(defined) == len(values) else None

    @property
    def basis(self) -> str:
        """Horizons and sessions of the measurement: models with a different basis are compared with care."""
        return f"horizons {', '.join(self.rank_ic)}; {self.first} to {self.last}"


@dataclass(frozen=True)
class Comparison:
    """The best release before this one, on the validation split."""

    tag: str
    rank_ic: float
    basis: str
    gain: Estimate | None = None
    """Mean RankIC of the new model minus that of this one, over the sessions that both have; None if these are not
    recorded for both or too few, or the horizons differ."""
    common: int | None = None
    """Number of sessions behind the gain, if the two have different sessions; None if they have the same."""
    other: list[str] = field(default_factory=list)
    """Other differences of the two validations: universe, quotes."""


@dataclass(frozen=True)
class Readings:
    """Numbers of different test results in the repository when a model was released, its own included."""

    model: int
    """Of this model: more than 1 if it was evaluated again with another result."""
    tier: int
    """Of its tier."""


@checked_dataclass(frozen=True, config=ConfigDict(extra="ignore"))
class Record:
    """All facts about a model in its version tag; fields that a newer version added are ignored."""

    tier: str
    version: str
    model_sha256: str
    parent: Parent | None = field(default=None, kw_only=True)
    """The release from which its training started; None if it was trained from scratch, and in older records."""
    environment: dict[str, Any]
    """The package's `environment.json`."""
    validation: Measured
    test: Measured
    """For information: no decision depends on it."""
    compared_with: Comparison | None
    despite_worse: str | None
    """The reason to release a model that is worse than the best."""
    replaces_best: str | None = field(default=None, kw_only=True)
    """The reason to make it the best although it cannot be compared with the best before it."""
    stage_tag: str | None
    """The tag that marks it as the best of its tier, made together with the version tag."""
    trials: int | None = None
    """Number of different results of the tier in the repository, this one included; None in older records."""
    trials_deviation: float | None = None
    """Sample standard deviation of their annualised Sharpe ratios, 0 for a single one; None in older records."""
    deflated_sharpe: float | None = None
    """Probability that the Sharpe ratio on validation is more than the luck of the best of these trials."""
    test_readings: Readings | None = None
    """Test results that had been seen; None in older records."""
    software: dict[str, str] | None = None
    """Python and C library with which it was checked and released. Results do not depend on them, so no file of the
    package records them; None in older records."""
    note: str | None = None
    """What was learned, in a sentence of who released it."""


def measured(root: Path, rev: str, split: str) -> Measured:
    """Reads a revision's metrics of a split; raises `DataError` if a compared metric is missing."""
    table = _metrics(root, rev, split)
    if not (table.first and table.last and table.sharpe != metrics.Sharpe() and table.rank_ic):
        raise DataError(
            f"`{paths.metrics_of(split)}` of commit {rev[:10]} lacks metrics of the evaluation: from, to, sharpe,"
            " rank_ic",
            hint="write it again with `dvc repro evaluate`",
        )
    return of_table(table)


def compared(root: Path, rev: str) -> Measured:
    """The validation metrics of an earlier release, as far as it has them; raises `DataError` without a file."""
    return of_table(_metrics(root, rev, "validation"))


def estimate(cell: metrics.Cell) -> Estimate:
    """A metric of a file as an estimate; undefined if the file does not contain it."""
    return Estimate(cell.value, cell.low, cell.high)


def message(record: Record) -> str:
    """The complete message of a version tag."""
    versions = record.environment.get("versions", {})
    facts = {
        "model SHA-256": record.model_sha256,
        "started from": _started_from(record.parent),
        "validation RankIC": f"{record.validation.mean_rank_ic:.4f} (mean; {record.validation.basis})",
        "compared with": comparison(record),
        "chosen from": trials(record),
        "test": readings(record),
        "exact on": str(record.environment.get("exact_on", "not stated")),
        "libraries": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }
    if record.software is not None:
        facts["released with"] = ", ".join(f"{name} {version}" for name, version in record.software.items())
    if record.despite_worse is not None:
        facts["despite worse"] = record.despite_worse
    if record.replaces_best is not None:
        facts["replaces the best"] = record.replaces_best
    if record.note is not None:
        facts["note"] = record.note
    header = f"{'':<12}{'validation':<28}test"
    rows = [("Sharpe", record.validation.sharpe, record.test.sharpe)]
    rows += [
        (f"RankIC {horizon}", estimate, record.test.rank_ic.get(horizon, Estimate(None, None, None)))
        for horizon, estimate in record.validation.rank_ic.items()
    ]
    table = [header, *(f"{name:<12}{validation!s:<28}{test!s}" for name, validation, test in rows)]
    return "\n".join(
        [
            f"{record.tier} {record.version}{', best of its tier' if record.stage_tag else ''}",
            "",
            *(textwrap.fill(f"{name}: {fact}", _WIDTH, subsequent_indent="  ") for name, fact in facts.items()),
            "",
            *table,
            "",
            f"record: {json.dumps(asdict(record), ensure_ascii=False, allow_nan=False)}",
            "",
        ]
    )


def require_model(tag: str, recorded: str, found: str | None) -> None:
    """Raises `MismatchError` if the weights in a release's `dvc.lock` do not have the SHA-256 that its tag records.

    Args:
        recorded: SHA-256 in the tag's record.
        found: SHA-256 of the weights; None if the lock file has no weights.
    """
    if found != recorded:
        raise MismatchError(
            f"`{tag}` records a model with SHA-256 {recorded}; the model in its `dvc.lock` has {found or 'no weights'}",
            hint="do not trust the tag or its `dvc.lock`, one of them was forged or edited: ask its author",
        )


def parse(text: str) -> Record | None:
    """The record in a tag's message, its last `record:` line; None if there is none, or it is not valid."""
    lines = _RECORD.findall(text)
    if not lines:
        return None
    try:
        return TypeAdapter(Record).validate_json(lines[-1])
    except ValidationError:
        return None


def stage_tag_of(tag: tag_objects.AnnotatedTag) -> str | None:
    """The tag that marks a version as the best of its tier, as the record in its version tag names it.

    None if there is no record or no such mark, and if the record names any other tag: the author of a tag chooses what
    its record names.
    """
    record = parse(tag.message)
    if record is None or record.stage_tag is None or tag.name != f"{record.tier}@{record.version}":
        return None
    return record.stage_tag if tags.marks_best(record.stage_tag, record.tier) else None


def _metrics(root: Path, rev: str, split: str) -> metrics.Metrics:
    table = metrics.read(root, rev, split)
    if table is None:
        raise DataError(
            f"`{paths.metrics_of(split)}` is not in commit {rev[:10]}",
            hint="write it with `dvc repro`, and commit it with `dvc.lock`",
        )
    return table


def of_table(table: metrics.Metrics) -> Measured:
    """The metrics of a file that a record has; undefined if the file does not have them."""
    return Measured(
        table.first or ABSENT,
        table.last or ABSENT,
        estimate(table.sharpe),
        {horizon: estimate(cell) for horizon, cell in table.rank_ic.items()},
    )


def _started_from(parent: Parent | None) -> str:
    return "scratch" if parent is None else f"{parent.tag}, SHA-256 {parent.model_sha256}"


def comparison(record: Record) -> str:
    """The baseline of a release, its gain over it, and whether the gain is more than noise."""
    before = record.compared_with
    if before is None:
        return f"nothing: the first best of {record.tier}"
    same = before.basis == record.validation.basis and before.common is None
    basis = "same horizons and sessions" if same else before.basis
    other = f"; {'; '.join(before.other)}" if before.other else ""
    return f"{before.tag}, {before.rank_ic:.4f} ({basis}{other}); {gain(before, record.validation)}"


def gain(before: Comparison, validation: Measured) -> str:
    """The gain of a model over the best before it, and whether its confidence interval excludes zero."""
    difference = before.gain
    if difference is None and before.basis != validation.basis:
        return "NOT comparable: other sessions or horizons, and too few sessions are recorded for both"
    if difference is None or difference.sign is None:
        value = "undefined" if validation.mean_rank_ic is None else f"{validation.mean_rank_ic - before.rank_ic:.3f}"
        return f"gain {value}, of which there is no interval: the sessions are not recorded for both, or too few"
    over = "" if before.common is None else f" over the {before.common} sessions of both"
    if difference.sign == 0:
        return f"gain {difference}{over}, within noise: the interval holds 0, and chance alone could give it"
    return f"gain {difference}{over}, beyond noise: the interval leaves out 0"


def trials(record: Record) -> str:
    """The number of trials a release was chosen from, and its deflated Sharpe ratio."""
    if record.trials is None:
        return "not recorded"
    deflated = "undefined" if record.deflated_sharpe is None else f"{record.deflated_sharpe:.4f}"
    spread = record.trials_deviation
    differ = f", whose Sharpe ratios have a standard deviation of {spread:.3f}" if spread else ""
    return f"{record.trials} different results of {record.tier}{differ}; deflated Sharpe on validation {deflated}"


def readings(record: Record) -> str:
    """The number of test results that had been seen when a release was made."""
    seen = record.test_readings
    if seen is None:
        return "how many results had been seen is not recorded"
    results = "1 result" if seen.model == 1 else f"{seen.model} different results"
    return f"{results} of this model and {seen.tier} of {record.tier} had been seen; promote chooses by validation"
