"""The result of a check: kind, severity, and the features and months concerned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Level = Literal["fault", "note"]
"""Severity. `fault`: an error that no sound dataset has; `note`: a warning, which may be correct data."""


@dataclass(frozen=True)
class Finding:
    """One result of a check."""

    kind: str
    level: Level
    text: str
    """The description; `features` and `months` list where it applies."""
    features: tuple[str, ...] = ()
    months: tuple[str, ...] = ()
    """Empty if the finding does not depend on the month."""
    values: dict[str, Any] = field(default_factory=dict)
    """The measured values."""


def months_with_errors(findings: Iterable[Finding]) -> set[str]:
    """Months with a finding of level `fault`."""
    return {month for finding in findings if finding.level == "fault" for month in finding.months}


def shortest(value: np.float32) -> float:
    """The shortest decimal number that rounds to this float32."""
    return float(str(value))
