"""Error reports of worker processes: each failing process writes one as JSON for the process that launched it.

Imports neither NumPy nor torch, so that the numerics can be pinned before they are loaded.
"""

from __future__ import annotations

import json
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path

from gogooku3 import errors
from gogooku3.errors import UserError


@dataclass(frozen=True)
class WorkerError:
    """A `UserError`, by its class name, or the traceback of any other error."""

    rank: int
    moment: int
    """Monotonic time in nanoseconds, comparable between the processes of a machine."""
    kind: str
    message: str
    hint: str

    @classmethod
    def of(cls, rank: int, error: BaseException) -> WorkerError:
        """The report of an error that is being handled."""
        if isinstance(error, UserError):
            return cls(rank, time.monotonic_ns(), type(error).__name__, error.message, error.hint)
        return cls(rank, time.monotonic_ns(), "", traceback.format_exc(), "")

    @property
    def error(self) -> Exception:
        """The error, reconstructed from the report."""
        if not self.kind:
            return RuntimeError(f"process {self.rank} failed:\n{self.message}")
        error: UserError = getattr(errors, self.kind)(self.message, hint=self.hint)
        return error

    def write(self, folder: Path) -> None:
        """Writes the report as `<rank>.json`, atomically."""
        partial = folder / f"{self.rank}.partial"
        partial.write_text(json.dumps(asdict(self)), encoding="utf-8")
        partial.rename(folder / f"{self.rank}.json")


def read_worker_errors(folder: Path) -> list[WorkerError]:
    """All reports, the earliest first."""
    reports = [WorkerError(**json.loads(path.read_text(encoding="utf-8"))) for path in folder.glob("*.json")]
    return sorted(reports, key=lambda report: report.moment)
