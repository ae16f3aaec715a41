"""*Best* is decided over the same validation sessions only: all of them, or those that two models have in common."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gogooku3 import paths
from gogooku3.errors import RefusedError
from gogooku3.metrics.returns import sharpe
from gogooku3.recovery.best import Contest, compare, contest, refuse_unless_better
from gogooku3.recovery.releases import git, tags
from gogooku3.recovery.releases.record import measured

START = np.datetime64("2024-01-01")


class History:
    """A repository of validations without a pipeline; the first is the best of its tier."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.metric = "mean_rank_ic"
        (root / "metrics/sessions").mkdir(parents=True)
        (root / "params.yaml").write_text((Path(__file__).parents[2] / "params.yaml").read_text())
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.name", "Test")
        self.git("config", "user.email", "test@example.com")

    def git(self, *arguments: str) -> str:
        return git.run(self.root, *arguments)

    def validate(
        self,
        rank_ic_T: np.ndarray,
        first: int = 0,
        horizons: tuple[int, ...] = (1, 5),
        stocks: int = 25,
        quotes: str = "a",
        net: float = 0.0,
    ) -> str:
        """Commits a validation with these RankICs and a mean return, from a session on; returns the commit."""
        net_T = net + 0.01 * np.random.default_rng(0).standard_normal(len(rank_ic_T))
        days = pl.DataFrame({"Date": START + first + np.arange(len(rank_ic_T)), "net": net_T})
        days = days.with_columns(pl.Series(f"rank_ic_{h}", rank_ic_T) for h in horizons)
        days.write_csv(self.root / paths.sessions_of("validation"))
        mean = float(rank_ic_T.mean())
        table = {
            "sessions": len(rank_ic_T),
            "from": str(days["Date"][0]),
            "to": str(days["Date"][-1]),
            "sharpe": {"value": float(sharpe(net_T))},
            "rank_ic": {str(h): {"value": mean} for h in horizons},
            "mean_rank_ic": {"value": mean},
            "universe": {"stocks": stocks},
        }
        (self.root / paths.metrics_of("validation")).write_text(json.dumps(table))
        (self.root / "dvc.lock").write_text(f"stages: {{quotes: {{outs: [{{path: data/quotes, md5: {quotes}}}]}}}}")
        return self.commit()

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "A validation")
        return git.commit_of(self.root, "HEAD")

    def crown(self) -> None:
        self.git("tag", "--annotate", "--message", "", "tier1@v1.0.0")
        self.git("tag", "--annotate", "--message", "", "tier1#best#1")

    def contest(self) -> Contest:
        commit = git.commit_of(self.root, "HEAD")
        validation = measured(self.root, commit, "validation")
        return contest(self.root, tags.read(self.root), "tier1", commit, validation, self.metric)

    def refuse(self, found: Contest, consent: str | None = None, despite_worse: str | None = None) -> None:
        validation = measured(self.root, "HEAD", "validation")
        refuse_unless_better(found, validation, "tier1", self.metric, consent, despite_worse)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


def noise(sessions: int, mean: float, seed: int = 1) -> np.ndarray:
    values = 0.1 * np.random.default_rng(seed).standard_normal(sessions)
    return mean + values - values.mean()


def test_without_a_best_every_model_is_better(history: History) -> None:
    history.validate(noise(40, -0.5))
    assert history.contest() == Contest(None, float("inf"))


def test_over_the_same_sessions_the_means_decide(history: History) -> None:
    history.validate(noise(40, 0.05))
    history.crown()
    history.validate(noise(40, 0.06, seed=2))
    found = history.contest()
    assert found.better == pytest.approx(0.01)
    assert found.before is not None
    assert (found.before.common, found.before.other) == (None, [])


def test_over_other_sessions_those_in_common_decide(history: History) -> None:
    """The new model's own sessions are easier: its mean is higher, and over the common ones it is worse."""
    before = noise(40, 0.05)
    history.validate(before)
    history.crown()
    history.validate(np.concatenate([before[10:] - 0.02, noise(10, 0.9)]), first=10)
    found = history.contest()
    assert found.before is not None
    assert measured(history.root, "HEAD", "validation").mean_rank_ic > found.before.rank_ic
    assert (found.better, found.before.common) == (pytest.approx(-0.02), 30)
    with pytest.raises(RefusedError, match=r"gain -0\.020 \[.*\] over the 30 sessions of both, beyond noise"):
        history.refuse(found)
    history.refuse(found, despite_worse="a longer history")


@pytest.mark.parametrize("first", [21, 40, 400])
def test_with_too_few_sessions_in_common_nothing_is_decided_without_a_reason(history: History, first: int) -> None:
    history.validate(noise(40, 0.05))
    history.crown()
    history.validate(noise(40, 0.9), first=first)
    found = history.contest()
    assert found.better is None
    with pytest.raises(RefusedError, match=r"validated over horizons 1, 5; 202.*fewer than 20 sessions") as refused:
        history.refuse(found)
    assert "--replace-best" in refused.value.hint
    history.refuse(found, consent="a new year")
    assert found.before is not None
    assert found.before.gain_text(measured(history.root, "HEAD", "validation")).startswith("NOT comparable")


def test_20_sessions_in_common_are_enough(history: History) -> None:
    history.validate(noise(40, 0.05))
    history.crown()
    history.validate(noise(40, 0.9), first=20)
    assert history.contest().better is not None


def test_a_session_inside_that_one_lacks_counts_as_other_sessions(history: History) -> None:
    """First and last session are the same."""
    whole = noise(40, 0.05)
    history.validate(whole)
    history.crown()
    history.validate(whole + 0.01)
    path = history.root / paths.sessions_of("validation")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:20] + lines[21:]))
    history.commit()
    found = history.contest()
    assert found.before is not None
    assert (found.before.common, found.better) == (39, pytest.approx(0.01))


def test_other_horizons_are_not_comparable(history: History) -> None:
    history.validate(noise(40, 0.05))
    history.crown()
    history.validate(noise(40, 0.9), horizons=(1, 10))
    assert history.contest().better is None


def test_another_universe_and_other_quotes_are_stated(history: History) -> None:
    history.validate(noise(40, 0.05))
    history.crown()
    history.validate(noise(40, 0.06), stocks=20, quotes="b")
    found = history.contest()
    assert found.before is not None
    assert found.before.other == ["25 stocks, here 20", "other quotes"]


def test_a_best_whose_metrics_are_not_those_of_its_sessions_is_not_compared_with(history: History) -> None:
    history.validate(noise(40, 0.05))
    path = history.root / paths.metrics_of("validation")
    table = json.loads(path.read_text())
    table["rank_ic"]["5"]["value"] = 0.01
    path.write_text(json.dumps(table))
    history.commit()
    history.crown()
    history.validate(noise(40, 0.06))
    says = r"of the best, `tier1@v1\.0\.0`, has rank_ic\.5\.value 0\.01, and its sessions give 0\.05"
    with pytest.raises(RefusedError, match=says) as refused:
        history.contest()
    assert "gto deprecate tier1 v1.0.0 best" in refused.value.hint


@pytest.mark.parametrize(("metric", "better"), [("mean_rank_ic", False), ("sharpe", True), ("rank_ic_5", False)])
def test_the_metric_of_the_tier_decides_and_one_that_disagrees_is_named(
    history: History, metric: str, better: bool
) -> None:
    """A higher Sharpe ratio with a lower RankIC, both beyond noise."""
    whole = noise(40, 0.05)
    history.validate(whole)
    history.crown()
    history.validate(whole - 0.01, net=0.02)
    history.metric = metric
    found = history.contest()
    assert found.before is not None
    assert found.better is not None
    assert (found.better > 0) == better
    other, verb = ("mean RankIC", "worse") if better else ("Sharpe ratio", "better")
    assert any(
        each.startswith(f"{other} disagrees with the objective, ") and f": the model is {verb} by " in each
        for each in found.before.disagreements()
    )
    if better:
        history.refuse(found)
    else:
        with pytest.raises(RefusedError, match=r"the model is better by .*, beyond noise"):
            history.refuse(found)


def test_the_sharpe_ratio_is_compared_whatever_the_horizons(history: History) -> None:
    history.metric = "sharpe"
    history.validate(noise(40, 0.05))
    history.crown()
    history.validate(noise(40, 0.05), horizons=(1, 10), net=0.02)
    found = history.contest()
    assert found.better is not None
    assert found.better > 0


def test_a_comparison_with_another_release_decides_nothing(history: History) -> None:
    history.validate(noise(40, 0.05))
    history.crown()
    history.validate(noise(40, 0.04))
    commit = git.commit_of(history.root, "HEAD")
    found = compare(history.root, tags.read(history.root).releases[0], commit, "mean_rank_ic")
    assert (found.tag, found.decisive_value) == ("tier1@v1.0.0", pytest.approx(0.05))
    assert found.text(measured(history.root, commit, "validation")).startswith(
        "tier1@v1.0.0, 0.0500 (same horizons and sessions); gain -0.010 ["
    )
