"""The exactness matrix: its rows, and the document."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version

from measures.document import paragraph, processor, table

_VERSIONS = ("torch", "numpy", "scipy", "polars", "lightgbm", "dvc")


@dataclass(frozen=True)
class Row:
    """A condition and the outcome of its run."""

    row: str
    outcome: str
    domain: str
    """Numerics domain in which equal bytes are promised, as in the history, or why they are not."""
    promised: bool
    """Whether the domain promises equal bytes."""
    held: bool | None
    """Whether they were equal; None if the row could not run."""

    @property
    def failed(self) -> bool:
        return self.promised and self.held is False

    @property
    def verdict(self) -> str:
        """Short verdict."""
        if self.held is None:
            return "not run"
        if self.held:
            return "same bytes"
        return "DIFFERS" if self.promised else "excluded"


def markdown(rows: list[Row], seconds: dict[str, float], commit: str, emulator: str) -> str:
    """The document.

    Args:
        seconds: of a training step by instruction set; empty if not measured.
        emulator: name and version of the CPU emulator.
    """
    system = {"Python": platform.python_version()} | dict([platform.libc_ver()])
    versions = system | {name: version(name) for name in _VERSIONS}
    version_list = ", ".join(f"{name} {number}" for name, number in versions.items())
    parts = [
        f"# Exactness, {date.today()}",
        paragraph(
            f"By `benchmarks/exactness.py` at commit {commit}, on {len(os.sched_getaffinity(0))} cores ({processor()});"
            f" emulated processors by {emulator}; {version_list}. A small market; every output file is compared with"
            " that of an undisturbed run here. *Excluded* conditions are outside the domain, run to show why."
        ),
        table(("condition", "", "outcome", "domain"), [_cells(row) for row in rows]),
    ]
    if seconds:
        parts += [
            "## Cost",
            paragraph(
                "Median time of a training step: hidden size 64, 99 features, windows of 20, 16 sessions of 64 stocks,"
                " 2 threads, interleaved."
            ),
            table(("instruction set", "seconds", "× native"), [_cost(name, seconds) for name in seconds]),
        ]
    return "\n\n".join(parts) + "\n"


def _cells(row: Row) -> tuple[str, str, str, str]:
    verdict = f"**{row.verdict}**" if row.failed else row.verdict
    return row.row, verdict, row.outcome, row.domain


def _cost(name: str, seconds: dict[str, float]) -> tuple[str, str, str]:
    return f"`{name}`", f"{seconds[name]:.3f}", f"{seconds[name] / seconds['native']:.2f}"
