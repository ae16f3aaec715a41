"""The result of a check of an evening: its level, and the exit code with which it ends the command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["passed", "noted", "warning", "failed"]
"""`noted`: for information, such as a new listing; `warning`: to be looked at; `failed`: no scores are written."""

CHECKS = ("model", "history", "freshness", "coverage", "revisions", "listings", "splits", "scores", "drift")
"""The names of all checks, in their order."""


@dataclass(frozen=True)
class Finding:
    """One check with what it found."""

    name: str
    level: Level
    found: str
    hint: str = ""
    exit_code: int = 0
    """Of the command, if the level is `failed` and the check is not accepted."""
    details: tuple[Mapping[str, Any], ...] = ()
    """The same, item by item."""

    def as_json(self) -> dict[str, Any]:
        """All fields by name."""
        return {**asdict(self), "exit_code": self.exit_code if self.level == "failed" else 0}
