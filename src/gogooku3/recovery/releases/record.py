"""What a version's tag says in its message: a part for people, then one line of JSON with the same facts.

One grammar, written by `promote` and read back by `tiers`.
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
from gogooku3.recovery.releases import metrics

SPLITS = ("validation", "test")

_RECORD = re.compile(r"^record: (?P<json>\{.*\})\s*\Z", re.MULTILINE)
_WIDTH = 100


@dataclass(frozen=True)
class Estimate:
    """A metric and its 95 % interval; None where undefined."""

    value: float | None
    low: float | None
    high: float | None

    def __str__(self) -> str:
        if self.value is None:
            return "undefined"
        if self.low is None or self.high is None:
            return f"{self.value:.3f}"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class Measured:
    """What decides on a model, of all that the metrics of one split hold."""

    first: str
    last: str
    sharpe: Estimate
    rank_ic: dict[str, Estimate]
    """By horizon in sessions."""

    @property
    def mean_rank_ic(self) -> float | None:
        """Mean RankIC over the horizons, by which two models of a tier are compared; None where one is undefined."""
        values = [estimate.value for estimate in self.rank_ic.values()]
        defined = [value for value in values if value is not None]
        return sum(defined) / len(defined) if values and len(defined) == len(values) else None

    @property
    def basis(self) -> str:
        """Over what it was measured: two models measured over something else compare with care."""
        return f"horizons {', '.join(self.rank_ic)}; {self.first} to {self.last}"


@dataclass(frozen=True)
class Comparison:
    """The best release before this one, on the validation split."""

    tag: str
    rank_ic: float
    basis: str
    gain: Estimate | None = None
    """Mean RankIC of the new model less that of this one; None where they were not measured over the same."""


@dataclass(frozen=True)
class Readings:
    """Different results on the test split that the repository knew when a model was released, its own included."""

    model: int
    """Of this very model: more than 1 where it was measured again with another result."""
    tier: int
    """Of its tier."""


@checked_dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Record:
    """Everything that a version's tag states about the model."""

    tier: str
    version: str
    model_sha256: str
    parent: Parent | None = field(default=None, kw_only=True)
    """The release that its training started from; None from scratch, as all were before a record named it."""
    environment: dict[str, Any]
    """The package's `environment.json`."""
    validation: Measured
    test: Measured
    """Written down only: nothing is decided by it."""
    compared_with: Comparison | None
    despite_worse: str | None
    """Why a model that is worse than the best was released."""
    stage_tag: str | None
    """The tag that marks it as the best of its tier, made together with its own."""
    trials: int | None = None
    """Different results that the repository knew of the tier, this one included; None in older records."""
    trials_deviation: float | None = None
    """Sample standard deviation of their Sharpe ratios, per year as these are, 0 of one; None in older records."""
    deflated_sharpe: float | None = None
    """Probability that the Sharpe ratio on validation is not the luck of the best of these trials."""
    test_readings: Readings | None = None
    """How many results on test had been seen; None in older records."""
    software: dict[str, str] | None = None
    """Python and C library with which it was checked and released. They decide no bit, so that no file of the package
    names them; None in older records."""


def measured(root: Path, rev: str, split: str) -> Measured:
    """Reads a revision's own metrics file of a split; raises `DataError` when it does not have what is compared."""
    found = _metrics(root, rev, split)
    if not (found.first and found.last and found.sharpe != metrics.Sharpe() and found.rank_ic):
        raise DataError(
            f"`{paths.metrics_of(split)}` of commit {rev[:10]} lacks what the evaluation writes: from, to, sharpe,"
            " rank_ic",
            hint="`dvc repro evaluate` writes it anew",
        )
    return _measured(found)


def compared(root: Path, rev: str) -> Measured:
    """What an earlier release measured on validation, as far as its version did; raises `DataError` without a file."""
    return _measured(_metrics(root, rev, "validation"))


def estimate(cell: metrics.Cell) -> Estimate:
    """A metric of a file; undefined where the file does not hold it."""
    return Estimate(cell.value, cell.low, cell.high)


def message(record: Record) -> str:
    """The whole message of a version's tag."""
    versions = record.environment.get("versions", {})
    facts = {
        "model SHA-256": record.model_sha256,
        "started from": _origin(record.parent),
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
    """Raises `MismatchError` where the weights that a release's `dvc.lock` names are not those that its tag records.

    Args:
        recorded: SHA-256 in the tag's record.
        found: SHA-256 of the weights; None where the lock file names none.
    """
    if found != recorded:
        raise MismatchError(
            f"`{tag}` was given to a model with SHA-256 {recorded}; the one that its `dvc.lock` names has"
            f" {found or 'no weights'}",
            hint="the tag or `dvc.lock` was forged or written by hand: ask who made it; trust neither",
        )


def parse(text: str) -> Record | None:
    """The record at the end of a tag's message; None where there is none, or not a whole one."""
    match = _RECORD.search(text)
    if match is None:
        return None
    try:
        return TypeAdapter(Record).validate_json(match["json"])
    except ValidationError:
        return None


def _metrics(root: Path, rev: str, split: str) -> metrics.Metrics:
    found = metrics.read(root, rev, split)
    if found is None:
        raise DataError(
            f"`{paths.metrics_of(split)}` is not in commit {rev[:10]}",
            hint="`dvc repro` writes it; commit it with `dvc.lock`",
        )
    return found


def _measured(found: metrics.Metrics) -> Measured:
    return Measured(
        found.first or ABSENT,
        found.last or ABSENT,
        estimate(found.sharpe),
        {horizon: estimate(cell) for horizon, cell in found.rank_ic.items()},
    )


def _origin(parent: Parent | None) -> str:
    return "scratch" if parent is None else f"{parent.tag}, SHA-256 {parent.model_sha256}"


def comparison(record: Record) -> str:
    """What a release was compared with, by how much it is better, and whether that is more than noise."""
    before = record.compared_with
    if before is None:
        return f"nothing: the first best of {record.tier}"
    same = before.basis == record.validation.basis
    basis = "same horizons and sessions" if same else before.basis
    return f"{before.tag}, {before.rank_ic:.4f} ({basis}); {gain(before, record.validation)}"


def gain(before: Comparison, validation: Measured) -> str:
    """By how much a model is better than the best before it, and whether the interval of that leaves out zero."""
    found = before.gain
    if found is None or found.low is None or found.high is None:
        why = "are not recorded for both, or too few"
        if before.basis != validation.basis:
            why = "or horizons are not the same"
        value = "undefined" if validation.mean_rank_ic is None else f"{validation.mean_rank_ic - before.rank_ic:.3f}"
        return f"gain {value}, of which there is no interval: the sessions {why}"
    if found.low <= 0 <= found.high:
        return f"gain {found}, within noise: the interval holds 0, and chance alone could give it"
    return f"gain {found}, beyond noise: the interval leaves out 0"


def trials(record: Record) -> str:
    """How many results a release was chosen from, and what is left of its Sharpe ratio for that."""
    if record.trials is None:
        return "not recorded"
    deflated = "undefined" if record.deflated_sharpe is None else f"{record.deflated_sharpe:.4f}"
    spread = record.trials_deviation
    differ = f", whose Sharpe ratios have a standard deviation of {spread:.3f}" if spread else ""
    return f"{record.trials} different results of {record.tier}{differ}; deflated Sharpe on validation {deflated}"


def readings(record: Record) -> str:
    """How many results on the test split had been seen when a release was made."""
    seen = record.test_readings
    if seen is None:
        return "how many results had been seen is not recorded"
    results = "1 result" if seen.model == 1 else f"{seen.model} different results"
    return f"{results} of this model and {seen.tier} of {record.tier} had been seen; promote chooses by validation"
