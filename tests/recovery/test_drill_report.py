"""The report of a drill: verdict first, one row per release, every step with its finding."""

from __future__ import annotations

import json
from pathlib import Path

from gogooku3.recovery.drill import Drill, Rehearsal, Step
from gogooku3.recovery.drill_report import as_markdown, write

GOOD = Rehearsal(
    "tier1@v1.0.0",
    "0123456789abcdef",
    (Step("clone", "passed", "commit 0123456789", 1.25), Step("package", "passed", "", 2.0)),
)
BAD = Rehearsal(
    "tier2@v1.0.0",
    "fedcba9876543210",
    (Step("clone", "passed", "commit", 0.5), Step("package", "failed", "no intact copy of `a|b`\n(hint: ask)", 3.0)),
)


UNRECORDED = Rehearsal(
    "tier3@v1.0.0",
    "0123456789abcdef",
    (Step("clone", "passed", "commit 0123456789", 1.25), Step("package", "noted", "NOT compared", 2.0)),
)


def drilled(*rehearsals: Rehearsal) -> Drill:
    return Drill("https://example.com/gogooku3.git", "2024-01-02T03:04:05+00:00", "Linux, Python 3.11", rehearsals)


def test_the_verdict_comes_first() -> None:
    assert as_markdown(drilled(GOOD)).splitlines()[0] == "# Drill: the release was recovered"
    assert as_markdown(drilled(GOOD, GOOD)).splitlines()[0] == "# Drill: all 2 releases were recovered"
    assert as_markdown(drilled(GOOD, BAD)).splitlines()[0] == "# Drill: 1 of 2 releases FAILED: tier2@v1.0.0"


def test_a_release_without_a_record_is_recovered_and_not_called_good() -> None:
    drill = drilled(GOOD, UNRECORDED)
    assert (drill.good, drill.recovered) == (False, True)
    lines = as_markdown(drill).splitlines()
    assert lines[0] == (
        "# Drill: all 2 releases were recovered, NOT compared, because the tag has no readable record: tier3@v1.0.0"
    )
    assert "| tier3@v1.0.0 | 1.2 | NOTED | 3.2 | NOT compared |" in lines
    assert as_markdown(drilled(BAD, UNRECORDED)).splitlines()[0] == "# Drill: 1 of 2 releases FAILED: tier2@v1.0.0"


def test_a_row_has_the_seconds_of_each_step_and_the_failed_step() -> None:
    lines = as_markdown(drilled(GOOD, BAD)).splitlines()
    assert "| release | clone | package | seconds | result |" in lines
    assert "| tier1@v1.0.0 | 1.2 | 2.0 | 3.2 | passed |" in lines
    assert "| tier2@v1.0.0 | 0.5 | FAILED | 3.5 | FAILED: package |" in lines


def test_a_finding_stays_in_its_cell() -> None:
    lines = as_markdown(drilled(BAD)).splitlines()
    assert "| package | failed | 3.0 | no intact copy of `a\\|b` (hint: ask) |" in lines


def test_both_files_have_the_same_facts(tmp_path: Path) -> None:
    write(drilled(GOOD, BAD), tmp_path / "logs")
    assert (tmp_path / "logs/drill.md").read_text() == as_markdown(drilled(GOOD, BAD))
    content = json.loads((tmp_path / "logs/drill.json").read_text())
    assert content["good"] is False
    assert [(each["tag"], each["good"]) for each in content["rehearsals"]] == [(GOOD.tag, True), (BAD.tag, False)]
    assert content["rehearsals"][1]["steps"][1]["outcome"] == "failed"
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["drill.json", "drill.md"]
