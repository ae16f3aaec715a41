"""Each experiment in Git is a row with its parameters, result and verdict; what cannot be compared says why."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner

from gogooku3 import config, paths
from gogooku3.cli import main
from gogooku3.errors import RefusedError
from gogooku3.metrics.paired_difference import paired_differences
from gogooku3.recovery.experiments.register import Row, register
from gogooku3.recovery.experiments.verdict import Verdict
from gogooku3.recovery.promote import promote
from gogooku3.recovery.releases import git
from gogooku3.recovery.trials import count

from ..lab import Lab
from .conftest import PARAMS, Records


def rows(records: Records) -> dict[str, Row]:
    """The rows by name; those without one by the first letters of their commit."""
    return {next(iter(row.entry.names), row.entry.commit[:7]): row for row in register(records.root).rows}


def track(records: Records, rev: str) -> pl.DataFrame:
    text = git.show(records.root, rev, paths.sessions_of("validation"))
    assert text is not None
    return pl.read_csv(text.encode(), try_parse_dates=True)


def test_an_experiment_is_compared_with_the_commit_from_which_it_was_run(records: Records) -> None:
    base = records.git("rev-parse", "HEAD")
    good = records.experiment("wide", 0.08, seed=2, batch_size=256, message="A smaller batch\ngains")
    records.experiment("narrow", 0.02, seed=3, batch_size=128)
    records.experiment("same", 0.05, seed=4)
    found = rows(records)
    labels = {name: found[name].verdict.label for name in ("wide", "narrow", "same")}  # type: ignore[union-attr]
    assert labels == {"wide": "better", "narrow": "worse", "same": "within noise"}
    wide = found["wide"]
    assert [(each.name, each.old, each.new) for each in wide.changes or []] == [("train.recipe.batch_size", 1440, 256)]
    assert (wide.entry.base, wide.entry.hypothesis) == (base, "A smaller batch\ngains")
    assert (found["same"].entry.hypothesis, found["same"].changes) == (None, [])
    bootstrap = config.load(records.root / paths.PARAMS).evaluation.bootstrap
    expected = paired_differences(track(records, good), track(records, base), bootstrap)["mean_rank_ic"]
    assert wide.verdict is not None
    assert vars(wide.verdict.gain) == expected
    assert wide.result.rank_ic is not None
    assert wide.result.rank_ic.value == pytest.approx(0.08, abs=0.03)


def test_a_release_and_a_branch_are_compared_with_the_release_before(records: Records) -> None:
    records.release("demo@v1.0.0")
    records.result(0.02, seed=2)
    records.release("demo@v1.1.0")
    records.git("switch", "--quiet", "--create", "idea")
    branch = records.result(0.09, seed=3, message="Work\n\nHypothesis: more of it\n")
    records.git("switch", "--quiet", "main")
    found = rows(records)
    assert [*found] == ["demo@v1.0.0", "demo@v1.1.0", branch[:7]]
    compared = [(row.entry.base_name, row.verdict and row.verdict.label) for row in found.values()]
    assert compared == [(None, None), ("demo@v1.0.0", "worse"), ("demo@v1.1.0", "better")]
    assert [row.entry.hypothesis for row in found.values()] == [None, None, "more of it"]


@pytest.mark.slow
def test_a_release_has_the_verdict_and_the_note_of_its_tag(lab: Lab) -> None:
    promote(lab.folder, "tier1")
    lab.train(2, 0.08)
    record = promote(lab.folder, "tier1", note="A better seed").record
    row = register(lab.folder).rows[-1]
    assert (row.entry.names, row.best, row.conclusions) == (("tier1@v1.1.0",), True, ["A better seed"])
    assert record.compared_with is not None
    assert row.verdict == Verdict("better", record.compared_with.gain, "mean_rank_ic", None)
    assert row.entry.base_name == record.compared_with.tag == "tier1@v1.0.0"
    assert register(lab.folder).trials == {"tier1": record.trials}


def test_an_experiment_that_was_released_is_one_row_with_its_tag(records: Records) -> None:
    commit = records.experiment("good", 0.08, seed=2)
    records.git("checkout", "--quiet", commit, "--", ".")
    records.commit("Apply it")
    records.release("demo@v1.0.0")
    records.release("demo#best#1")
    found = rows(records)["good"]
    assert (found.entry.names, found.best) == (("good", "demo@v1.0.0"), True)
    assert [release.tag.name for release in found.entry.releases] == ["demo@v1.0.0"]


def test_a_result_that_several_commits_have_is_one_row(records: Records) -> None:
    records.write("README.md", "words\n")
    records.commit("Words")
    records.experiment("again", 0.05)
    found = register(records.root)
    assert [row.entry.names for row in found.rows] == [("again",)]
    assert found.trials == {"demo": count(records.root, "demo").count} == {"demo": 1}


def test_a_trial_of_a_search_is_named_as_one(records: Records) -> None:
    records.experiment("demo-3", 0.06, message='demo-3: {"train.recipe.seed": 1}')
    assert (rows(records)["demo-3"].entry.kind, rows(records)["demo-3"].entry.hypothesis) == ("trial", None)


DAMAGE: dict[str, tuple[str, str | None, str]] = {
    "no metrics": ("metrics/validation.json", None, "it has no metrics/validation.json"),
    "no JSON": ("metrics/validation.json", "{", "it has a damaged metrics/validation.json"),
    "a list": ("metrics/validation.json", "[1]", "it has a damaged metrics/validation.json"),
    "deep": ("metrics/validation.json", "[" * 100_000, "it has a damaged metrics/validation.json"),
    "no RankIC": ("metrics/validation.json", '{"sessions": 3}', "it has no mean RankIC"),
    "no sessions": ("metrics/sessions/validation.csv", None, "its metrics/sessions/validation.csv is missing"),
    "no table": ("metrics/sessions/validation.csv", "x\n1,2\n", "its metrics/sessions/validation.csv is damaged"),
    "twice": (
        "metrics/sessions/validation.csv",
        "Date,net,rank_ic_1,rank_ic_5\n2024-01-01,1,1,1\n2024-01-01,1,1,1\n",
        "its metrics/sessions/validation.csv is damaged",
    ),
    "infinite": (
        "metrics/sessions/validation.csv",
        "Date,net,rank_ic_1,rank_ic_5\n2024-01-01,1,inf,1\n",
        "its metrics/sessions/validation.csv is damaged",
    ),
    "cut": (
        "metrics/sessions/validation.csv",
        "Date,net,rank_ic_1,rank_ic_5\n2024-01-01,1,1,1\n",
        "other sessions in metrics/sessions/validation.csv",
    ),
    "horizons": (
        "metrics/sessions/validation.csv",
        "Date,net,rank_ic_1\n2024-01-01,1,1\n",
        "its metrics/sessions/validation.csv has other horizons than metrics/validation.json",
    ),
}


def test_what_cannot_be_compared_is_a_row_that_says_why(records: Records) -> None:
    for name, (path, text, _) in DAMAGE.items():
        records.measure(0.09, seed=7)
        (records.root / path).unlink() if text is None else records.write(path, text)
        records.commit("Damaged")
        records.keep(name.replace(" ", "-"))
    records.measure(0.09, horizons=(1, 10))
    records.commit("Other horizons")
    records.keep("other-horizons")
    records.measure(0.09, sessions=50)
    records.commit("Other sessions")
    records.keep("other-sessions")
    found = rows(records)
    for name, (_, _, reason) in DAMAGE.items():
        verdict = found[name.replace(" ", "-")].verdict
        assert verdict is not None
        assert (verdict.label, verdict.gain, verdict.reason) == ("not compared", None, reason), name
    for name in ("other-horizons", "other-sessions"):
        verdict = found[name].verdict
        assert verdict is not None
        assert (verdict.gain, (verdict.reason or "").split(":")[0]) == (None, "other horizons or sessions")
    assert CliRunner().invoke(main, ["experiments"], catch_exceptions=False).exit_code == 0


@pytest.mark.parametrize("text", ["a: [1", "- a list\n", "a: &a [1]\nb: *a\n", '"a: [1"', "tier: ${oc.env:HOME\n"])
def test_parameters_that_cannot_be_read_are_no_traceback(records: Records, text: str) -> None:
    records.write("params.yaml", text)
    records.write("dvc.lock", text)
    records.commit("Damaged parameters")
    records.keep("damaged")
    assert rows(records)["damaged"].changes is None
    assert "`params.yaml` cannot be read" in page(records)


def page(records: Records, *options: str) -> str:
    done = CliRunner().invoke(main, ["experiments", *options], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return (records.root / paths.REGISTER).read_text()


def test_a_clone_gives_the_same_bytes_after_it_has_the_experiments(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in (2, 3):
        records.experiment(f"trial-{seed}", 0.05 + seed / 100, seed=seed)
    records.release("demo@v1.0.0")
    records.git("switch", "--quiet", "--create", "idea")
    records.result(0.07, seed=9)
    records.git("switch", "--quiet", "main")
    made = page(records)
    records.commit("The register")
    records.result(0.3, seed=5)  # what only this clone has: a stash, and the references of a running experiment
    records.git("update-ref", "refs/stash", "HEAD")
    records.git("update-ref", "refs/exps/exec/EXEC_HEAD", "HEAD")
    records.git("update-ref", "refs/exps/celery/stash", "HEAD")
    records.git("reset", "--quiet", "--hard", "HEAD~")
    clone = Records(records.root.parent / "clone")
    records.git("clone", "--quiet", ".", str(clone.root))
    monkeypatch.chdir(clone.root)
    fewer = CliRunner().invoke(main, ["experiments"])
    assert "the page listed 2 DVC experiments, and this clone has 0: `dvc exp pull --all-commits" in fewer.stderr
    assert "This page knows of 0 DVC experiments." in (clone.root / paths.REGISTER).read_text()
    assert CliRunner().invoke(main, ["experiments", "--check"]).exit_code == 0
    clone.git("fetch", "--quiet", "origin", "refs/exps/*:refs/exps/*")
    stale = CliRunner().invoke(main, ["experiments", "--check"])
    assert (stale.exit_code, "`gogooku3 experiments` updates it" in stale.stderr) == (1, True)
    assert page(clone) == made


def test_a_shallow_clone_is_refused(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    records.result(0.06)
    clone = records.root.parent / "clone"
    records.git("clone", "--quiet", "--depth=1", records.root.as_uri(), str(clone))
    with pytest.raises(RefusedError, match=r"shallow clone(?s:.*)--unshallow"):
        register(clone)


def test_the_facts_are_printed_as_json(records: Records) -> None:
    records.experiment("wide", 0.08, seed=2, batch_size=256)
    done = CliRunner().invoke(main, ["experiments", "--json"])
    content: dict[str, Any] = json.loads(done.stdout)
    wide = next(each for each in content["experiments"] if each["names"] == ["wide"])
    assert (content["dvc_experiments"], content["trials"]) == (1, {"demo": 2})
    assert wide["parameters"] == {"train.recipe.batch_size": [1440, 256]}
    assert (wide["verdict"], wide["released"], wide["gain"]["low"] > 0) == ("better", [], True)
    assert not (records.root / paths.REGISTER).exists()


def test_wrong_parameters_at_head_are_one_error(records: Records) -> None:
    records.experiment("wide", 0.08, seed=2)
    records.write("params.yaml", PARAMS.replace("draws: 100", "draws: 1"))
    records.commit("Too few draws")
    records.experiment("later", 0.08, seed=3)
    done = CliRunner().invoke(main, ["experiments"])
    assert (done.exit_code, "evaluation.bootstrap.draws" in done.stderr) == (2, True)
    assert not (records.root / paths.REGISTER).exists()
