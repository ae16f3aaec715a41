"""The check that DVC gets the best version of each tier, on tags that real GTO makes."""

from __future__ import annotations

import re
import shlex
from typing import Any

from gogooku3.recovery.doctor.releases import best


def gto(toy: Any, *arguments: str, time: int) -> None:
    """Runs GTO and dates its new tag."""
    before = set(toy.run("git", "tag").stdout.split())
    toy.run("gto", *arguments)
    for name in set(toy.run("git", "tag").stdout.split()) - before:
        date = f"{2_000_000_000 + time} +0000"
        target = toy.run("git", "rev-parse", f"{name}^{{commit}}").stdout.strip()
        toy.run("env", f"GIT_COMMITTER_DATE={date}", "git", "tag", "--force", "-am", name, name, target)


def test_a_revoked_mark_is_named_with_the_command_that_marks_the_best_again(toy: Any) -> None:
    assert best(toy.folder).outcome == "passed"
    gto(toy, "register", "tier1", "--version", "v1.0.0", time=1)
    gto(toy, "assign", "tier1", "--version", "v1.0.0", "--stage", "best", time=2)
    toy.run("git", "commit", "--quiet", "--allow-empty", "--message", "Second")
    gto(toy, "register", "tier1", "--version", "v1.1.0", time=3)
    gto(toy, "assign", "tier1", "--version", "v1.1.0", "--stage", "best", time=4)
    assert best(toy.folder).found == "the same for DVC and GTO"

    gto(toy, "deprecate", "tier1", "v1.1.0", "best", time=5)
    finding = best(toy.folder)
    head = toy.run("git", "rev-parse", "HEAD").stdout[:10]
    assert finding.outcome == "failed"
    assert f"gets commit {head}, but `tier1@v1.0.0` is the best" in finding.found
    command = re.search(r"`(gto assign .*?)`", finding.hint)
    assert command is not None
    gto(toy, *shlex.split(command[1])[1:], time=6)
    assert best(toy.folder).outcome == "passed"

    gto(toy, "deprecate", "tier1", "v1.0.0", "best", time=7)
    finding = best(toy.folder)
    assert "but no version is the best" in finding.found
    assert "dvc artifacts get URL tier1 --rev VERSION" in finding.hint
