"""`drill` rehearses the releases that the tags named at its start."""

from __future__ import annotations

import pytest

from gogooku3.recovery.drill import drill
from gogooku3.recovery.promote import promote

from .lab import Lab

TAG = "tier1@v1.0.0"


@pytest.mark.parametrize("to", ["another commit", "the same commit"])
def test_a_tag_that_moves_on_the_server_during_the_drill_is_not_rehearsed(lab: Lab, to: str) -> None:
    """One who can write to the Git server replaces the tag after the drill read it: a good record, another commit."""
    promote(lab.folder, "tier1")
    named = lab.run("git", "rev-parse", f"{TAG}^{{commit}}").stdout.strip()
    message = lab.run("git", "for-each-ref", "--format=%(contents)", f"refs/tags/{TAG}").stdout
    if to == "another commit":
        (lab.folder / "src/gogooku3/model/code.py").write_text("evil\n")
        lab.commit("Other code, the same model")
    steps = []

    def move(step: str) -> None:
        if not steps:
            lab.run("git", "tag", "--annotate", "--force", "--message", f"{message}\nmoved", TAG)
        steps.append(step)

    [rehearsal] = drill(str(lab.folder), [TAG], log=move).rehearsals
    clone, *others = rehearsal.steps
    assert steps[0] == f"{TAG}: clone"
    assert (rehearsal.commit, clone.outcome) == (named, "failed")
    assert f"`{TAG}` is another tag than at the start of the drill: it was moved on the Git server" in clone.found
    assert {step.outcome for step in others} == {"skipped"}
