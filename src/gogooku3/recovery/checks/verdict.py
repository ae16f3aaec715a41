"""What a verification says: one finding per check, one verdict over all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Outcome = Literal["passed", "failed", "skipped", "noted"]
"""`skipped`: could not be checked, and why; `noted`: worth knowing, not against the package."""


@dataclass(frozen=True)
class Finding:
    """What one check found, with the values that matter."""

    outcome: Outcome
    found: str
    hint: str = ""
    details: tuple[Mapping[str, str | None], ...] = ()
    """The same item by item, for programs."""


@dataclass(frozen=True)
class Check:
    """A check by name, and what it found."""

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
        """True where no check failed."""
        return not self.failed

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that speak against the package."""
        return tuple(check for check in self.checks if check.finding.outcome == "failed")

    def as_json(self) -> dict[str, Any]:
        """`package`, `good` and the checks."""
        return {"package": self.package, "good": self.good, "checks": [check.as_json() for check in self.checks]}
