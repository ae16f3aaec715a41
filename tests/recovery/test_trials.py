"""Trials are counted from Git: different results of a tier in all reachable commits."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gogooku3.errors import GitError, RefusedError
from gogooku3.recovery.releases.record import Readings
from gogooku3.recovery.trials import count, readings


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
        self.parameters(tier, sharpe)
        self.lock()
        return self.commit()

    def parameters(self, tier: str, sharpe: float) -> None:
        (self.root / "params.yaml").write_text(f"tier: {tier}\nsharpe: {sharpe}\n")

    def lock(self) -> None:
        """Writes a lock file with every parameter, as `dvc repro` does."""
        (self.root / "dvc.lock").write_text((self.root / "params.yaml").read_text())

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "A result")
        return self.git("rev-parse", "HEAD")

    def experiment(self, sharpe: float, name: str, **more: Any) -> None:
        """Makes a commit with its own reference outside all branches, as `dvc exp run` does."""
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
    assert count(history.root, "tier1").count == 4


def test_the_same_result_twice_is_one_trial(history: History):
    history.result(1.0)
    history.experiment(1.0, "twin", turnover=0.5)
    (history.root / "README.md").write_text("words\n")
    history.result(1.0, turnover=0.25)
    assert count(history.root, "tier1").count == 1


def test_results_of_other_tiers_do_not_count(history: History):
    history.result(1.0)
    history.experiment(2.0, "other", tier="tier2")
    assert [count(history.root, tier).count for tier in ("tier1", "tier2", "demo")] == [1, 1, 0]


def test_results_of_the_tiers_of_the_lineage_count(history: History):
    """The best of a tier, from which a model starts, was chosen among the results of its tier."""
    history.result(1.0)
    history.experiment(2.0, "lofty-ibex")
    history.experiment(3.0, "other", tier="tier2")
    assert count(history.root, "tier2", lineage=["tier1"]).count == 3


def test_a_section_names_the_tier_too(history: History):
    history.result(1.0, tier="{name: tier1, metric: sharpe}")
    history.result(2.0)
    assert count(history.root, "tier1").count == 2


def test_a_tier_that_gives_the_result_of_another_has_it_too(history: History):
    history.result(1.0, tier="demo")
    history.result(2.0)
    history.parameters("tier1", 1.0)
    (history.root / "metrics/validation.json").write_text(history.git("show", "HEAD~:metrics/validation.json"))
    history.lock()
    history.commit()
    assert [count(history.root, tier).count for tier in ("demo", "tier1")] == [1, 2]


def test_another_tier_that_leaves_the_metrics_as_they_were_has_a_result(history: History):
    history.result(1.0, tier="demo")
    history.parameters("tier1", 1.0)
    history.lock()
    history.commit()
    assert [count(history.root, tier).count for tier in ("demo", "tier1")] == [1, 1]


def test_parameters_of_a_tier_that_was_not_run_yet_are_no_result_of_it(history: History):
    history.result(1.0, tier="demo")
    history.parameters("tier1", 2.0)
    history.commit()
    assert count(history.root, "tier1").count == 0
    history.result(2.0)
    assert count(history.root, "tier1").count == 1


def test_the_result_of_the_given_revision_always_counts(history: History):
    history.result(2.0)
    history.result(1.0, tier="demo")
    history.parameters("tier1", 1.0)
    head = history.commit()
    assert count(history.root, "tier1").count == 1
    assert count(history.root, "tier1", head).count == 2
    assert count(history.root, "demo", "HEAD~").count == 1


def test_the_variance_is_that_of_the_sharpe_ratios_per_session(history: History):
    history.result(1.0)
    assert count(history.root, "tier1").variance == 0
    history.experiment(-2.0, "lofty-ibex")
    history.experiment(4.0, "tubby-gaze")
    history.experiment(50.0, "other", tier="tier2")
    found = count(history.root, "tier1")
    assert found.count == 3
    assert found.variance == pytest.approx(9 / 252)


@pytest.mark.parametrize("ratio", ["null", "NaN", '"4.0"', "[4.0]"])
def test_an_undefined_sharpe_ratio_is_not_part_of_the_variance(history: History, ratio: str):
    history.result(1.0)
    history.result(3.0)
    history.result(0.0, text=f'{{"sharpe": {{"value": {ratio}}}, "rank_ic": {{"1": {{"value": 0.1}}}}}}')
    found = count(history.root, "tier1")
    assert found.count == 3
    assert found.variance == pytest.approx(2 / 252)


def test_an_experiment_without_a_reference_does_not_count(history: History):
    history.result(1.0)
    history.experiment(2.0, "gone")
    assert count(history.root, "tier1").count == 2
    history.git("update-ref", "-d", history.git("for-each-ref", "--format=%(refname)", "refs/exps"))
    assert count(history.root, "tier1").count == 1


def test_an_unreadable_result_counts_as_a_separate_one(history: History):
    history.result(1.0)
    history.result(0.0, text="{}")
    history.result(0.0, text="not JSON")
    assert count(history.root, "tier1").count == 3


def test_parameters_that_cannot_be_read_belong_to_no_tier(history: History):
    history.result(1.0)
    (history.root / "params.yaml").write_text("tier: [1")
    (history.root / "metrics/validation.json").write_text("{}")
    history.git("commit", "--quiet", "--all", "--message", "Broken")
    assert count(history.root, "tier1").count == 1


def test_a_commit_that_only_a_detached_head_reaches_counts(history: History):
    history.result(1.0)
    history.git("switch", "--quiet", "--detach")
    history.result(2.0)
    assert count(history.root, "tier1").count == 2


@pytest.mark.parametrize("how", ["clone", "fetch"])
def test_in_a_shallow_clone_nothing_is_counted(history: History, tmp_path: Path, how: str):
    """Of a clone with a depth, and of one that was made shallow by a later fetch."""
    for sharpe in (1.0, 2.0, 3.0):
        history.result(sharpe)
    clone, url = tmp_path / "clone", history.root.as_uri()
    history.git("clone", "--quiet", *(["--depth", "1"] if how == "clone" else []), url, str(clone))
    if how == "fetch":
        subprocess.run(["git", "fetch", "--quiet", "--depth", "1", "origin"], cwd=clone, check=True)
    for counted in (lambda: count(clone, "tier1"), lambda: readings(clone, "tier1", "HEAD")):
        with pytest.raises(RefusedError, match="shallow clone") as refused:
            counted()
        assert "git fetch --unshallow --tags" in refused.value.hint
    subprocess.run(["git", "fetch", "--quiet", "--unshallow", "--tags"], cwd=clone, check=True)
    assert count(clone, "tier1").count == 3


def test_a_repository_without_results_has_no_trials(history: History):
    (history.root / "README.md").write_text("words\n")
    history.git("add", "--all")
    history.git("commit", "--quiet", "--message", "Nothing yet")
    assert count(history.root, "tier1").count == 0
    with pytest.raises(GitError):
        count(history.root.parent, "tier1")


WEIGHTS = b"weights"
HASH = hashlib.md5(WEIGHTS).hexdigest()
PACKAGED = f"stages:\n  package:\n    outs:\n    - path: models/package/model.safetensors\n      md5: {HASH}\n"


@pytest.mark.parametrize(
    ("lock", "of_model"),
    [
        (PACKAGED, 2),
        (PACKAGED.replace("package", "finetune"), 2),
        (f"stages: {{}}  # {HASH}\n", 1),
        (f"stages:\n  package:\n    deps:\n    - path: model\n      md5: {HASH}\n", 1),
        (f"[{HASH}", 1),
    ],
    ids=["packaged", "trained", "comment", "dependency", "not YAML"],
)
def test_only_an_output_of_a_lock_file_is_a_run_of_the_model(history: History, lock: str, of_model: int) -> None:
    """Two commits with different test results: the model's own, and one whose lock file has its hash somewhere."""
    package = history.root / "models/package/model.safetensors"
    package.parent.mkdir(parents=True)
    package.write_bytes(WEIGHTS)
    for text, sharpe in ((lock, 1.0), (PACKAGED, 2.0)):
        history.parameters("tier1", sharpe)
        table = {"sharpe": {"value": sharpe}, "rank_ic": {}}
        (history.root / "metrics/test.json").write_text(json.dumps(table))
        (history.root / "dvc.lock").write_text(text)
        head = history.commit()
    assert readings(history.root, "tier1", head) == Readings(model=of_model, tier=2)
