"""Experiments are read from the Git references of DVC."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from gogooku3.errors import ConfigError, DataError
from gogooku3.recovery.releases.estimates import Estimate
from gogooku3.search.experiments import fetch_experiment, find, parameters, reference

METRICS = {"sharpe": {"value": 1.5, "low": None, "high": None, "t": 2.0}}


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A commit with four experiments: a valid one, one with other metrics, two without metrics."""
    folder = tmp_path / "repository"
    (folder / "metrics").mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    for setting in (("user.name", "Test"), ("user.email", "test@example.com")):
        git(folder, "config", *setting)
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "Nothing yet")
    base = git(folder, "rev-parse", "HEAD")
    (folder / "params.yaml").write_text("train: {rate: 1e-05, phases: {gat: {epochs: 2}}}\n")
    texts = {"good-0": json.dumps(METRICS), "other-0": '{"sessions": 1}', "bad-0": "none", "bad-1": '{"sharpe": 1}'}
    for name, metrics in texts.items():
        (folder / "metrics/validation.json").write_text(metrics)
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", name)
        git(folder, "update-ref", reference(base, name), "HEAD")
    git(folder, "reset", "--quiet", "--hard", base)
    return folder


def test_an_experiment_is_found_by_its_name_and_the_commit_that_it_changes(root: Path) -> None:
    base = git(root, "rev-parse", "HEAD")
    found = find(root, base, "good-0")
    assert found is not None
    assert found.parameters == {"train.rate": 1e-5, "train.phases.gat.epochs": 2}
    assert found.estimate("sharpe") == Estimate(1.5, None, None)
    assert find(root, base, "good-1") is None
    assert find(root, found.commit, "good-0") is None


def test_an_experiment_without_its_result_is_one_clear_error(root: Path) -> None:
    base = git(root, "rev-parse", "HEAD")
    for name, why in (("bad-0", "it is not JSON: "), ("bad-1", "it is not a table of metrics: sharpe: ")):
        message = rf"`{name}` has no readable `metrics/validation.json`: {why}(?s:.*)`dvc exp remove {name}`"
        with pytest.raises(DataError, match=message):
            find(root, base, name)
    other = find(root, base, "other-0")
    assert other is not None
    for metric in ("sharpe", "mean_rank_ic"):
        with pytest.raises(DataError, match=f"it lacks `{metric}`"):
            other.estimate(metric)


def test_an_experiment_is_brought_from_another_clone_once(root: Path, tmp_path: Path) -> None:
    base, clone = git(root, "rev-parse", "HEAD"), tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(root), str(clone))
    fetch_experiment(clone, root, base, "absent-0")
    assert git(clone, "for-each-ref", "refs/exps") == ""
    for _ in range(2):
        fetch_experiment(clone, root, base, "good-0")
    assert find(clone, base, "good-0") == find(root, base, "good-0")


def test_parameters_that_cannot_be_read_are_refused(root: Path) -> None:
    assert parameters(root, "HEAD") == {}
    (root / "params.yaml").write_text("a: [1")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "Broken")
    with pytest.raises(ConfigError, match=r"`params.yaml` of commit HEAD cannot be read"):
        parameters(root, "HEAD")
