"""What ended one of several processes, written down for the one that started it.

Reads and writes nothing but JSON, so that the numerics can be pinned before NumPy and torch are loaded.
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
    """An error that a user can cause, by its class, or a traceback of any other."""

    rank: int
    moment: int
    """Of one clock for all processes of a machine, in nanoseconds."""
    kind: str
    message: str
    hint: str

    @classmethod
    def of(cls, rank: int, error: BaseException) -> WorkerError:
        """What is to be told of an error that is being handled."""
        if isinstance(error, UserError):
            return cls(rank, time.monotonic_ns(), type(error).__name__, error.message, error.hint)
        return cls(rank, time.monotonic_ns(), "", traceback.format_exc(), "")

    @property
    def error(self) -> Exception:
        """The error again."""
        if not self.kind:
            return RuntimeError(f"process {self.rank} ended with\n{self.message}")
        found: UserError = getattr(errors, self.kind)(self.message, hint=self.hint)
        return found

    def write(self, folder: Path) -> None:
        """Puts it down under the process's rank, whole or not at all."""
        partial = folder / f"{self.rank}.partial"
        partial.write_text(json.dumps(asdict(self)), encoding="utf-8")
        partial.rename(folder / f"{self.rank}.json")


def read_worker_errors(folder: Path) -> list[WorkerError]:
    """All reports, the earliest first."""
    found = [WorkerError(**json.loads(path.read_text(encoding="utf-8"))) for path in folder.glob("*.json")]
    return sorted(found, key=lambda report: report.moment)
