"""Results of a verification: one finding per check, one verdict over all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Outcome = Literal["passed", "failed", "skipped", "noted"]
"""`skipped`: not checked, with the reason; `noted`: for information, not a failure."""


@dataclass(frozen=True)
class Finding:
    """The result of one check, with values."""

    outcome: Outcome
    found: str
    hint: str = ""
    details: tuple[Mapping[str, str | None], ...] = ()
    """The same, item by item, in a structured form."""


@dataclass(frozen=True)
class Check:
    """A check's name and finding."""

    name: str
    finding: Finding

    def as_json(self) -> dict[str, Any]:
        """`name`, `outcome`, `found`, `hint`, `details`."""
        return {"name": self.name, **asdict(self.finding)}


@dataclass(frozen=True)
class Verdict:
    """All checks of a package, in the order in which they ran."""

    package: str
    checks: tuple[Check, ...]

    @property
    def good(self) -> bool:
        """Whether no check failed."""
        return not self.failed

    @property
    def failed(self) -> tuple[Check, ...]:
        """The failed checks."""
        return tuple(check for check in self.checks if check.finding.outcome == "failed")

    def as_json(self) -> dict[str, Any]:
        """`package`, `good` and the checks."""
        return {"package": self.package, "good": self.good, "checks": [check.as_json() for check in self.checks]}
