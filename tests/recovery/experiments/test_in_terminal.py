"""`gogooku3 runs`: every experiment of a tier in a terminal of 80 columns."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from gogooku3.cli import main

from .conftest import Records


def printed(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(main, ["runs", *arguments])
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture
def tried(records: Records, monkeypatch: pytest.MonkeyPatch) -> Records:
    monkeypatch.chdir(records.root)
    records.experiment("a-wide-network-with-many-hidden-units", 0.08, seed=2, batch_size=256)
    records.experiment("narrow", 0.02, seed=3)
    return records


def test_an_experiment_has_what_differs_its_result_and_its_verdict(tried: Records) -> None:
    commits = tried.git("for-each-ref", "refs/exps", "--format", "%(objectname)").split()
    block = printed().split("\n\n")[2]
    assert block.startswith("a-wide-network-with-many-hidden-units  ")
    assert any(commit[:8] in block.splitlines()[0] for commit in commits)
    assert "\n  better against " in block
    assert "\n  RankIC 0.0" in block
    assert "  Sharpe 1.000 [0.500, 1.500]\n" in block
    assert block.endswith("\n  train.recipe.batch_size: 1440 → 256")


def test_no_line_is_wider_than_a_terminal(tried: Records) -> None:
    assert all(len(line) <= 80 for line in printed().splitlines())


def test_the_newest_of_a_tier_alone(tried: Records) -> None:
    newest = printed("demo", "--last", "1")
    assert "narrow  " in newest
    assert "a-wide-network" not in newest
    assert newest.startswith("demo: 3 experiments")


def test_an_unknown_tier_is_refused_with_the_known_ones(tried: Records) -> None:
    said = printed("tier9", code=3)
    assert "error: no experiment of the tier `tier9`\nhint: tiers with one: demo;" in said
