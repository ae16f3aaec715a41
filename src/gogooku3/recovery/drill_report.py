"""Writes the report of a drill: `drill.md` with the verdict first, and `drill.json`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from gogooku3.recovery.drill import Drill, Rehearsal, Step
from gogooku3.runtime.files import replaced_file, write_json


def write(drill: Drill, folder: Path) -> None:
    """Writes both files into a folder: of two drills that end at once, the files of one stay."""
    with replaced_file(folder / "drill.md") as partial:
        write_json(as_json(drill), folder / "drill.json")
        partial.write_text(as_markdown(drill), encoding="utf-8")


def as_json(drill: Drill) -> dict[str, Any]:
    """All facts with the verdicts."""
    rehearsals = [{"good": rehearsal.good, **asdict(rehearsal)} for rehearsal in drill.rehearsals]
    return {"good": drill.good, **asdict(drill), "rehearsals": rehearsals}


def as_markdown(drill: Drill) -> str:
    """The verdict, one row per release, and every step with its finding."""
    names = [step.name for step in drill.rehearsals[0].steps]
    head = ["release", *names, "seconds", "result"]
    rows = [_row(head), _row(["---"] * len(head)), *(_row(_cells(each)) for each in drill.rehearsals)]
    facts = [f"- repository: `{drill.url}`", f"- began: {drill.began}", f"- machine: {drill.machine}"]
    sections = [line for rehearsal in drill.rehearsals for line in _section(rehearsal)]
    return "\n".join([f"# Drill: {verdict(drill)}", "", *facts, "", *rows, *sections, ""])


def verdict(drill: Drill) -> str:
    """The verdict on all releases in one line."""
    failed = [rehearsal.tag for rehearsal in drill.rehearsals if not rehearsal.recovered]
    unrecorded = [each.tag for each in drill.rehearsals if each.recovered and not each.good]
    count = len(drill.rehearsals)
    if failed:
        return f"{len(failed)} of {count} releases FAILED: {', '.join(failed)}"
    recovered = "the release was recovered" if count == 1 else f"all {count} releases were recovered"
    if unrecorded:
        return f"{recovered}, NOT compared, because the tag has no readable record: {', '.join(unrecorded)}"
    return recovered


def result(rehearsal: Rehearsal) -> str:
    """The outcome of a rehearsal: the first step that failed, if one did."""
    failed = [step.name for step in rehearsal.steps if step.outcome == "failed"]
    if failed:
        return f"FAILED: {failed[0]}"
    return "passed" if rehearsal.good else "NOT compared"


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
    """A row of a Markdown table; line breaks are removed and `|` is escaped."""
    return f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in cells)} |"
