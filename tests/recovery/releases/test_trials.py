"""Trials are counted from what the repository remembers: different results of a tier, wherever they were committed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gogooku3.errors import GitError
from gogooku3.recovery.trials import count


class History:
    """A repository of results, committed without a pipeline."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "metrics").mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.name", "Test")
        self.git("config", "user.email", "test@example.com")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def result(self, sharpe: float, *, tier: str = "tier1", text: str | None = None, **more: Any) -> str:
        table = {"sharpe": {"value": sharpe}, "rank_ic": {"1": {"value": 0.1}}} | more
        (self.root / "metrics/validation.json").write_text(json.dumps(table) if text is None else text)
        (self.root / "params.yaml").write_text(f"tier: {tier}\nsharpe: {sharpe}\n")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "A result")
        return self.git("rev-parse", "HEAD")

    def experiment(self, sharpe: float, name: str, **more: Any) -> None:
        """What `dvc exp run` leaves: a commit that no branch reaches, under a reference of its own."""
        base = self.git("rev-parse", "HEAD")
        made = self.result(sharpe, **more)
        self.git("update-ref", f"refs/exps/{base[:2]}/{base[2:]}/{name}", made)
        self.git("reset", "--quiet", "--hard", base)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "repository")


def test_results_in_commits_experiments_and_tags_are_trials(history: History):
    history.result(1.0)
    history.experiment(2.0, "lofty-ibex")
    history.experiment(3.0, "tubby-gaze")
    history.result(4.0)
    history.git("tag", "tier1@v1.0.0")
    history.git("reset", "--quiet", "--hard", "HEAD~")
    assert count(history.root, "tier1") == 4


def test_the_same_result_twice_is_one_trial(history: History):
    history.result(1.0)
    history.experiment(1.0, "twin", turnover=0.5)
    (history.root / "README.md").write_text("words\n")
    history.result(1.0, turnover=0.25)
    assert count(history.root, "tier1") == 1


def test_results_of_other_tiers_are_none_of_this_one(history: History):
    history.result(1.0)
    history.experiment(2.0, "other", tier="tier2")
    assert (count(history.root, "tier1"), count(history.root, "tier2"), count(history.root, "demo")) == (1, 1, 0)


def test_an_experiment_of_which_the_reference_is_gone_is_not_seen(history: History):
    history.result(1.0)
    history.experiment(2.0, "gone")
    assert count(history.root, "tier1") == 2
    history.git("update-ref", "-d", history.git("for-each-ref", "--format=%(refname)", "refs/exps"))
    assert count(history.root, "tier1") == 1


def test_a_result_that_cannot_be_read_counts_as_one_of_its_own(history: History):
    history.result(1.0)
    history.result(0.0, text="{}")
    history.result(0.0, text="not JSON")
    assert count(history.root, "tier1") == 3


def test_parameters_that_cannot_be_read_belong_to_no_tier(history: History):
    history.result(1.0)
    (history.root / "params.yaml").write_text("tier: [1")
    (history.root / "metrics/validation.json").write_text("{}")
    history.git("commit", "--quiet", "--all", "--message", "Broken")
    assert count(history.root, "tier1") == 1


def test_a_commit_that_only_a_detached_head_reaches_counts(history: History):
    history.result(1.0)
    history.git("switch", "--quiet", "--detach")
    history.result(2.0)
    assert count(history.root, "tier1") == 2


def test_a_repository_without_results_has_no_trials(history: History):
    (history.root / "README.md").write_text("words\n")
    history.git("add", "--all")
    history.git("commit", "--quiet", "--message", "Nothing yet")
    assert count(history.root, "tier1") == 0
    with pytest.raises(GitError):
        count(history.root.parent, "tier1")
