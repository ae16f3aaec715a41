"""The message of a version tag: a summary as text, then one line of JSON, the record, with the same facts.

`promote` writes it; `tiers` and other commands parse it.
"""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from gogooku3 import paths
from gogooku3.errors import DataError, MismatchError
from gogooku3.objective import metric_title
from gogooku3.package.lineage import Parent
from gogooku3.package.results import ABSENT, target_verdict
from gogooku3.recovery.releases import metrics, tag_objects, tags
from gogooku3.recovery.releases.comparison import Comparison
from gogooku3.recovery.releases.estimates import UNDEFINED, Estimate, Measured

SPLITS = ("validation", "test")

_RECORD = re.compile(r"^record: (?P<json>\{.*\})[ \t\r]*$", re.MULTILINE)
_WIDTH = 100
_SYNTHETIC = "synthetic: the results are about generated quotes, not about real stocks"
LONGEST = 200
"""Limit of the length of a hardware's name."""


@dataclass(frozen=True)
class Readings:
    """Numbers of different test results in the repository when a model was released, its own included."""

    model: int
    """Of this model: more than 1 if it was evaluated again with another result."""
    tier: int
    """Of its tier."""


@dataclass(frozen=True)
class Objective:
    """What the tier aimed at when a model was released, and whether the model reached it."""

    metric: str
    value: Estimate
    """On validation."""
    target: float | None

    @property
    def verdict(self) -> str | None:
        """Whether the target is reached; None without a target."""
        return None if self.target is None else target_verdict(asdict(self.value), self.target)

    def __str__(self) -> str:
        verdict = "" if self.target is None else f"; target {self.target:g}: {self.verdict}"
        return f"{metric_title(self.metric)} {self.value} on validation{verdict}"


@checked_dataclass(frozen=True, config=ConfigDict(extra="ignore"))
class Provenance:
    """Object with the provenance of a release (`recovery.provenance`), and what of it is shown with the tag."""

    sha256: Annotated[str, Field(pattern=r"\A[0-9a-f]{64}\z")]
    md5: Annotated[str, Field(pattern=r"\A[0-9a-f]{32}\z")]
    """Its name in the bucket."""
    size: Annotated[int, Field(ge=0)]
    training_seconds: float | None
    """Duration of all phases; None if one was not trained on the machine of the promotion."""
    hardware: Annotated[str, Field(max_length=LONGEST)] | None
    """What trained the phases; None as above."""


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
    objective: Objective | None = field(default=None, kw_only=True)
    """None in older records, in which the mean RankIC decided."""
    compared_with: Comparison | None
    """The best of the tier before it."""
    reference: Comparison | None = field(default=None, kw_only=True)
    """The release that the tier names in addition (`tier.compared_with`)."""
    despite_worse: str | None
    """The reason to release a model that is worse than the best."""
    replaces_best: str | None = field(default=None, kw_only=True)
    """The reason to make it the best although it cannot be compared with the best before it."""
    implausible: list[str] | None = field(default=None, kw_only=True)
    """Findings of implausible results, as sentences; empty if there were none, None if that was not checked."""
    despite_implausible: str | None = field(default=None, kw_only=True)
    """The reason to release it although its results are implausible."""
    market: str | None = field(default=None, kw_only=True)
    """Source of the quotes (`quotes.source`); a model of a `synthetic` one says nothing about real stocks."""
    stage_tag: str | None
    """The tag that marks it as the best of its tier, made together with the version tag."""
    trials: int | None = None
    """Number of different results of its tier, and of the tiers of the releases that it was trained from, in the
    repository, this one included; None in older records."""
    lineage: list[str] = field(default_factory=list)
    """The other tiers whose results count as trials."""
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
    provenance: Provenance | None = None
    """None in older records."""


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


def compared(root: Path, rev: str, split: str = "validation") -> Measured:
    """The metrics of an earlier release, as far as it has them; raises `DataError` without a file."""
    return of_table(_metrics(root, rev, split))


def estimate(cell: metrics.Cell) -> Estimate:
    """A metric of a file as an estimate; undefined if the file does not contain it."""
    return Estimate(cell.value, cell.low, cell.high)


def message(record: Record) -> str:
    """The complete message of a version tag."""
    versions = record.environment.get("versions", {})
    facts = {
        **({"market": _SYNTHETIC} if record.market == "synthetic" else {}),
        "model SHA-256": record.model_sha256,
        "started from": _started_from(record.parent),
        **({} if record.objective is None else {"objective": str(record.objective)}),
        "validation RankIC": f"{record.validation.mean_rank_ic:.4f} (mean; {record.validation.basis})",
        "compared with": comparison(record),
        **({} if record.reference is None else {"reference": record.reference.text(record.validation)}),
        "chosen from": trials(record),
        "test": readings(record),
        "exact on": str(record.environment.get("exact_on", "not stated")),
        "libraries": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }
    if record.software is not None:
        facts["released with"] = ", ".join(f"{name} {version}" for name, version in record.software.items())
    if record.provenance is not None:
        facts["training"] = training(record.provenance)
        facts["provenance SHA-256"] = record.provenance.sha256
    if record.despite_worse is not None:
        facts["despite worse"] = record.despite_worse
    if record.replaces_best is not None:
        facts["replaces the best"] = record.replaces_best
    if record.implausible:
        facts["implausible"] = "; ".join(record.implausible)
    if record.despite_implausible is not None:
        facts["despite implausible"] = record.despite_implausible
    if record.note is not None:
        facts["note"] = record.note
    header = f"{'':<12}{'validation':<28}test"
    rows = [("Sharpe", record.validation.sharpe, record.test.sharpe)]
    rows += [
        (f"RankIC {horizon}", estimate, record.test.rank_ic.get(horizon, UNDEFINED))
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
    """The best release before a model, and the gain over it."""
    before = record.compared_with
    return f"nothing: the first best of {record.tier}" if before is None else before.text(record.validation)


def plausibility(record: Record) -> str:
    """Whether the results of a release are plausible, and the reason for a release of implausible ones."""
    if record.implausible is None:
        return "not checked"
    if not record.implausible:
        return "plausible"
    reason = "" if record.despite_implausible is None else f"; released because: {record.despite_implausible}"
    return f"implausible: {'; '.join(record.implausible)}{reason}"


def trials(record: Record) -> str:
    """The number of trials a release was chosen from, and its deflated Sharpe ratio."""
    if record.trials is None:
        return "not recorded"
    deflated = "undefined" if record.deflated_sharpe is None else f"{record.deflated_sharpe:.4f}"
    spread = record.trials_deviation
    differ = f", whose Sharpe ratios have a standard deviation of {spread:.3f}" if spread else ""
    tiers = " and ".join([record.tier, *record.lineage])
    return f"{record.trials} different results of {tiers}{differ}; deflated Sharpe on validation {deflated}"


def training(provenance: Provenance) -> str:
    """How long the phases took, and on what: `83 s on 2 × NVIDIA H200`."""
    if provenance.training_seconds is None:
        return "not recorded: trained elsewhere, or restored from the run cache"
    return f"{duration(provenance.training_seconds)} on {provenance.hardware or 'unrecorded hardware'}"


def duration(seconds: float) -> str:
    """Seconds in a fitting unit."""
    minutes, hours = seconds / 60, seconds / 3600
    return f"{seconds:.0f} s" if minutes < 2 else f"{minutes:.0f} min" if hours < 2 else f"{hours:.1f} h"


def readings(record: Record) -> str:
    """The number of test results that had been seen when a release was made."""
    seen = record.test_readings
    if seen is None:
        return "how many results had been seen is not recorded"
    results = "1 result" if seen.model == 1 else f"{seen.model} different results"
    return f"{results} of this model and {seen.tier} of {record.tier} had been seen; promote chooses by validation"
