"""What a check found: of which kind, how grave, in which features and months."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Level = Literal["fault", "note"]
"""A fault is something that no sound dataset has; a note is worth knowing, and may be as it should."""


@dataclass(frozen=True)
class Finding:
    """One thing that a check found."""

    kind: str
    level: Level
    text: str
    """What is so, in words; the features and months in which it is so stand beside it."""
    features: tuple[str, ...] = ()
    months: tuple[str, ...] = ()
    """None where it is no matter of months."""
    values: dict[str, Any] = field(default_factory=dict)
    """The numbers behind it."""


def months_with_errors(findings: Iterable[Finding]) -> set[str]:
    """Months in which a fault was found."""
    return {month for finding in findings if finding.level == "fault" for month in finding.months}


def shortest(value: np.float32) -> float:
    """The number with the fewest digits that is this one as f32."""
    return float(str(value))
