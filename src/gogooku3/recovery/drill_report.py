"""The report of a drill: `drill.md` for people, verdict first, and `drill.json` for programs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from gogooku3.recovery.drill import Drill, Rehearsal, Step
from gogooku3.runtime.files import replaced_file, write_json


def write(found: Drill, folder: Path) -> None:
    """Writes both files into a folder."""
    write_json(as_json(found), folder / "drill.json")
    with replaced_file(folder / "drill.md") as partial:
        partial.write_text(as_markdown(found), encoding="utf-8")


def as_json(found: Drill) -> dict[str, Any]:
    """Everything that is known, with the verdicts."""
    rehearsals = [{"good": rehearsal.good, **asdict(rehearsal)} for rehearsal in found.rehearsals]
    return {"good": found.good, **asdict(found), "rehearsals": rehearsals}


def as_markdown(found: Drill) -> str:
    """The verdict, one row per release, and every step with what it found."""
    names = [step.name for step in found.rehearsals[0].steps]
    head = ["release", *names, "seconds", "result"]
    rows = [_row(head), _row(["---"] * len(head)), *(_row(_cells(each)) for each in found.rehearsals)]
    facts = [f"- repository: `{found.url}`", f"- began: {found.began}", f"- machine: {found.machine}"]
    sections = [line for rehearsal in found.rehearsals for line in _section(rehearsal)]
    return "\n".join([f"# Drill: {verdict(found)}", "", *facts, "", *rows, *sections, ""])


def verdict(found: Drill) -> str:
    """One line on all releases."""
    failed = [rehearsal.tag for rehearsal in found.rehearsals if not rehearsal.good]
    count = len(found.rehearsals)
    if failed:
        return f"{len(failed)} of {count} releases FAILED: {', '.join(failed)}"
    return "the one release came back" if count == 1 else f"all {count} releases came back"


def result(rehearsal: Rehearsal) -> str:
    """How a rehearsal ended: what failed first, if anything did."""
    failed = [step.name for step in rehearsal.steps if step.outcome == "failed"]
    return f"FAILED: {failed[0]}" if failed else "passed"


def _cells(rehearsal: Rehearsal) -> list[str]:
    seconds = sum(step.seconds for step in rehearsal.steps)
    return [rehearsal.tag, *(_cell(step) for step in rehearsal.steps), f"{seconds:.1f}", result(rehearsal)]


def _cell(step: Step) -> str:
    return f"{step.seconds:.1f}" if step.outcome == "passed" else step.outcome.upper()


def _section(rehearsal: Rehearsal) -> list[str]:
    steps = [_row([step.name, step.outcome, f"{step.seconds:.1f}", step.found]) for step in rehearsal.steps]
    head = [_row(["step", "outcome", "seconds", "found"]), _row(["---"] * 4)]
    return ["", f"## {rehearsal.tag} (commit {rehearsal.commit[:10]})", "", *head, *steps]


def _row(cells: list[str]) -> str:
    """A row of a Markdown table; what would end the cell or the row is taken out of it."""
    return f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in cells)} |"
