"""`promote` tags exactly the commit that it checked, with a complete record."""

from __future__ import annotations

import json
import math
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import variance
from typing import Any

import pytest

from gogooku3.config.train import LAST_PHASE
from gogooku3.errors import ConfigError, GitError, RefusedError, StoreError
from gogooku3.metrics.sharpe_significance import TrackRecord, Trials
from gogooku3.metrics.split_file import table_of
from gogooku3.model.weights import read_tensors, write_tensors
from gogooku3.package.manifest import write_manifest
from gogooku3.recovery.promote import promote
from gogooku3.recovery.releases import git, tags
from gogooku3.recovery.releases.git import run
from gogooku3.recovery.releases.new_tags import finish_stage_tags
from gogooku3.recovery.releases.record import Readings, message, parse
from gogooku3.recovery.releases.results import track_record
from gogooku3.runtime.files import sha256_file
from gogooku3.runtime.numerics import software

COMMAND = [sys.executable, "-c", "from gogooku3.cli.promote import promote; promote()", "tier1"]

PUBLISH = "git push --atomic origin refs/tags/tier1@v1.0.0 'refs/tags/tier1#best#1'"


def track(lab: Any) -> TrackRecord:
    """The track record of the commit at HEAD."""
    found = track_record(lab.folder, "HEAD", "validation")
    assert found is not None
    return found


def ratio(lab: Any, rev: str) -> float:
    """The annual Sharpe ratio of a commit on validation."""
    content = json.loads(run(lab.folder, "show", f"{rev}:metrics/validation.json"))
    return float(table_of(content)["sharpe"]["value"])


def edit_json(path: Path, edit: Callable[[Any], object]) -> None:
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_the_first_model_is_version_1_and_the_best_and_its_tags_record_it(lab: Any) -> None:
    commit = run(lab.folder, "rev-parse", "HEAD").strip()
    made = promote(lab.folder, "tier1")
    assert made.tags == ("tier1@v1.0.0", "tier1#best#1")
    assert lab.tags() == set(made.tags)
    registry = tags.read(lab.folder)
    best = registry.best("tier1")
    assert best is not None
    assert (best.tag.name, best.commit) == ("tier1@v1.0.0", commit)
    record = parse(best.tag.message)
    assert record == made.record
    assert record is not None
    package = lab.folder / "models/package"
    assert record.model_sha256 == sha256_file(package / "model.safetensors")
    assert record.environment == json.loads((package / "environment.json").read_text())
    assert record.validation.mean_rank_ic == pytest.approx(0.055)
    assert record.test.mean_rank_ic == pytest.approx(0.035)
    assert record.compared_with is None
    for said in (record.model_sha256, "0.050 [", "0.030 [", str(record.validation.sharpe), "exact on"):
        assert said in best.tag.message
    assert run(lab.folder, "fsck", "--strict", "--no-dangling") == ""


def test_the_tag_records_the_gain_with_its_interval_and_the_trials_that_it_was_chosen_from(lab: Any) -> None:
    first = promote(lab.folder, "tier1").record
    assert (first.trials, first.deflated_sharpe) == (1, track(lab).deflated(Trials(1)))
    lab.train(2, 0.04)
    lab.train(3, 0.06)
    made = promote(lab.folder, "tier1")
    assert made.record.trials == 3
    ratios = [ratio(lab, rev) for rev in ("HEAD", "HEAD~", "HEAD~2")]
    assert made.record.deflated_sharpe == pytest.approx(track(lab).deflated(Trials(3, variance(ratios) / 252)))
    assert made.record.compared_with is not None
    gain = made.record.compared_with.gain
    assert gain is not None
    # The RankIC series share most of their noise: the gain of 0.01 is significant although each interval is wide.
    assert gain.value == pytest.approx(0.01, abs=0.002)
    assert 0 < gain.low < gain.value < gain.high < 0.02


@pytest.mark.slow
def test_a_gain_within_noise_moves_the_stage_and_is_reported_as_such(lab: Any) -> None:
    promote(lab.folder, "tier1")
    lab.train(2, 0.0501)
    with start(lab) as process:
        printed, stderr = process.communicate()
    assert process.returncode == 0, stderr
    record = parse(tags.read(lab.folder).of("tier1")[-1].tag.message)
    assert record is not None
    assert record.stage_tag == "tier1#best#2"
    assert record.compared_with is not None
    gain = record.compared_with.gain
    assert gain is not None
    assert gain.low < 0 < gain.high
    assert f"gain {gain}, within noise" in printed


@pytest.mark.slow
def test_trials_whose_sharpe_ratios_differ_by_more_than_chance_deflate_more(lab: Any) -> None:
    for seed, rank_ic in ((2, 0.5), (3, 0.2)):
        lab.train(seed, rank_ic)
    record = promote(lab.folder, "tier1").record
    spread = variance([ratio(lab, rev) for rev in ("HEAD", "HEAD~", "HEAD~2")])
    assert spread / 252 > 2 / 38  # chance alone would give 1/38
    assert (record.trials, record.trials_deviation) == (3, pytest.approx(math.sqrt(spread)))
    assert record.deflated_sharpe == pytest.approx(track(lab).deflated(Trials(3, spread / 252)))
    assert record.deflated_sharpe < track(lab).deflated(Trials(3))


@pytest.mark.slow
def test_a_result_that_another_tier_had_before_counts_for_the_released_tier(lab: Any) -> None:
    """The lab's stages have no parameters, so not even the lock file changes."""
    other_tier(lab)
    record = promote(lab.folder, "tier2").record
    assert (record.trials, record.deflated_sharpe) == (1, track(lab).deflated(Trials(1)))
    assert record.test_readings == Readings(model=1, tier=1)


def test_the_tag_records_python_and_the_c_library(lab: Any) -> None:
    record = promote(lab.folder, "tier1").record
    assert record.software == software()
    assert f"released with: Python {platform.python_version()}, " in message(record)


@pytest.mark.slow
def test_the_tag_records_how_many_test_results_were_seen(lab: Any) -> None:
    assert promote(lab.folder, "tier1").record.test_readings == Readings(model=1, tier=1)
    lab.train(2, 0.06)
    lab.train(3, 0.07)
    assert promote(lab.folder, "tier1").record.test_readings == Readings(model=1, tier=3)
    # The same model, evaluated again on test with another result.
    lab.make(lab.folder / "made", 3, 0.07, test=0.1)
    lab.reproduce()
    assert promote(lab.folder, "tier1").record.test_readings == Readings(model=2, tier=4)
    # And again, in another tier.
    lab.make(lab.folder / "made", 3, 0.07, test=0.2)
    params = lab.folder / "params.yaml"
    params.write_text(params.read_text().replace("name: tier1", "name: tier2"))
    lab.reproduce()
    assert promote(lab.folder, "tier2").record.test_readings == Readings(model=3, tier=1)


@pytest.mark.slow
def test_gto_and_dvc_read_the_tags_as_their_own(lab: Any, tmp_path: Path) -> None:
    promote(lab.folder, "tier1")
    first = (lab.folder / "models/package/model.safetensors").read_bytes()
    lab.train(2, 0.07)
    promote(lab.folder, "tier1")
    second = (lab.folder / "models/package/model.safetensors").read_bytes()
    shown = json.loads(lab.run("gto", "show", "tier1", "--json").stdout)
    assert [row["version"] for row in shown] == ["v1.1.0", "v1.0.0"]
    assert lab.run("gto", "show", "tier1#best", "--ref").stdout.strip() == "tier1@v1.1.0"
    events = json.loads(lab.run("gto", "history", "tier1", "--json").stdout)
    assert sorted(row["ref"] for row in events) == ["tier1#best#1", "tier1#best#2", "tier1@v1.0.0", "tier1@v1.1.0"]
    for selection, expected in ((("--rev", "v1.0.0"), first), (("--stage", "best"), second)):
        target = tmp_path / selection[1]
        lab.run("dvc", "artifacts", "get", str(lab.folder), "tier1", *selection, "-o", str(target), cwd=tmp_path)
        assert (target / "model.safetensors").read_bytes() == expected


def test_a_better_model_becomes_the_best_and_a_worse_one_needs_a_reason(lab: Any) -> None:
    promote(lab.folder, "tier1")
    lab.train(2, 0.04)
    with pytest.raises(RefusedError, match=r"is 0\.045000 .* `tier1@v1\.0\.0`, has 0\.055000") as refused:
        promote(lab.folder, "tier1")
    assert "gogooku3 diff tier1@v1.0.0 HEAD" in refused.value.hint
    assert lab.tags() == {"tier1@v1.0.0", "tier1#best#1"}

    made = promote(lab.folder, "tier1", despite_worse="half the turnover\nrecord: {}")
    assert made.tags == ("tier1@v1.1.0",)
    assert made.record.despite_worse == "half the turnover\nrecord: {}"
    best = tags.read(lab.folder).best("tier1")
    assert best is not None
    assert best.tag.name == "tier1@v1.0.0"
    assert parse(tags.read(lab.folder).of("tier1")[-1].tag.message) == made.record

    lab.train(3, 0.06)
    made = promote(lab.folder, "tier1", version=tags.Version(2, 0, 0), despite_worse="not needed")
    assert made.tags == ("tier1@v2.0.0", "tier1#best#2")
    assert made.record.despite_worse is None
    assert made.record.compared_with is not None
    assert made.record.compared_with.tag == "tier1@v1.0.0"
    assert made.record.compared_with.rank_ic == pytest.approx(0.055)


@pytest.mark.slow
def test_an_equal_model_is_released_and_does_not_become_the_best(lab: Any) -> None:
    promote(lab.folder, "tier1")
    lab.train(2, 0.05)
    assert promote(lab.folder, "tier1").tags == ("tier1@v1.1.0",)


@pytest.mark.slow
def test_test_metrics_do_not_affect_the_decision(lab: Any) -> None:
    promote(lab.folder, "tier1")
    lab.train(9, 0.06)  # its test RankIC is 0.12 lower, the first's 0.035
    made = promote(lab.folder, "tier1")
    assert made.record.test.mean_rank_ic == pytest.approx(-0.115)
    assert made.tags == ("tier1@v1.1.0", "tier1#best#2")


def dirty(lab: Any) -> None:
    (lab.folder / "params.yaml").write_text((lab.folder / "params.yaml").read_text() + "\n")


def untracked(lab: Any) -> None:
    (lab.folder / "src/gogooku3/new.py").write_text("new\n")


def other_tier(lab: Any) -> None:
    params = lab.folder / "params.yaml"
    params.write_text(params.read_text().replace("name: tier1", "name: tier2"))
    lab.commit("Another tier")


def behind(lab: Any) -> None:
    (lab.folder / "made/quotes/bars.txt").write_text("other bars\n")
    lab.commit("Other bars")


def output_lost(lab: Any) -> None:
    (lab.folder / "models/package/README.md").unlink()


def bit_flipped_before_packaging(lab: Any) -> None:
    """A package with matching manifest and lock, but other weights than those of its golden predictions."""
    for folder in (LAST_PHASE, "package"):
        weights = lab.folder / "made" / folder / "model.safetensors"
        tensors = read_tensors(weights)
        for tensor in tensors.values():
            if tensor.is_floating_point():
                tensor.add_(0.5)
        write_tensors(tensors, weights)
    write_manifest(lab.folder / "made/package")
    lab.reproduce()


def edited(lab: Any) -> None:
    """The metrics are edited, and `dvc commit` records them as if `evaluate` had written them."""
    edit_json(
        lab.folder / "metrics/validation.json", lambda content: table_of(content)["mean_rank_ic"].update(value=0.9)
    )
    lab.run("dvc", "commit", "--quiet", "--force", "metrics")
    lab.commit("A better number")


@pytest.mark.parametrize(
    ("spoil", "says", "hint"),
    [
        (dirty, r"working tree differs .*: M params\.yaml", "git commit"),
        (untracked, r"working tree differs .*: \?\? src/gogooku3/new\.py", "git add"),
        (other_tier, r"configures tier `tier2`, not `tier1`", "gogooku3 promote tier2"),
        (behind, r"`dvc\.lock` is stale: quotes changed", "dvc repro"),
        (output_lost, r"`dvc\.lock` is stale: package changed", "dvc pull"),
        (bit_flipped_before_packaging, r"does not verify: golden: scores differ", "gogooku3 verify"),
        (
            edited,
            r"`metrics/validation\.json` is not what .* key evaluation\[0\]\.mean_rank_ic\.value: 0\.9 recorded, 0\.05",
            "evaluate",
        ),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_invalid_releases_are_refused_with_a_hint(lab: Any, spoil: Callable[[Any], None], says: str, hint: str) -> None:
    spoil(lab)
    with pytest.raises(RefusedError, match=says) as refused:
        promote(lab.folder, "tier1")
    assert hint in refused.value.hint
    assert refused.value.exit_code == 1
    assert not lab.tags()
    assert not list(lab.bucket.rglob("*"))


def hidden(lab: Any, flag: str, path: str, content: str) -> None:
    """Changes a file, of which Git reports no change, and makes the model with it."""
    lab.run("git", "update-index", flag, path)
    (lab.folder / path).write_text(content)
    lab.reproduce()
    assert git.changes(lab.folder) == []


@pytest.mark.parametrize("flag", ["--skip-worktree", pytest.param("--assume-unchanged", marks=pytest.mark.slow)])
@pytest.mark.parametrize("path", ["params.yaml", pytest.param("made/quotes/bars.txt", marks=pytest.mark.slow)])
def test_a_change_that_git_hides_is_not_released(lab: Any, flag: str, path: str) -> None:
    lab.make(lab.folder / "made", 3, 0.06)
    hidden(lab, flag, path, (lab.folder / path).read_text() + "# other\n")
    with pytest.raises(RefusedError, match="is not what was run: `") as refused:
        promote(lab.folder, "tier1")
    assert (path if path == "params.yaml" else "made/quotes") in refused.value.message
    assert "git ls-files -v" in refused.value.hint
    assert not lab.tags()


def test_a_lock_file_that_git_hides_is_not_released(lab: Any) -> None:
    lab.run("git", "update-index", "--skip-worktree", "dvc.lock")
    lab.train(3, 0.06)
    assert git.changes(lab.folder) == []
    with pytest.raises(RefusedError, match=r"is not what was run: .*`dvc\.lock`"):
        promote(lab.folder, "tier1")
    assert not lab.tags()


def test_a_file_that_git_ignores_and_dvc_hashes_is_not_released(lab: Any) -> None:
    (lab.folder / ".git/info/exclude").write_text("extra.txt\n")
    (lab.folder / "made/quotes/extra.txt").write_text("not committed\n")
    lab.reproduce()
    assert git.changes(lab.folder) == []
    with pytest.raises(RefusedError, match="is not what was run: `made/quotes`"):
        promote(lab.folder, "tier1")
    assert not lab.tags()


def test_a_shallow_clone_does_not_release(lab: Any, tmp_path: Path) -> None:
    lab.train(3, 0.06)
    shallow = tmp_path / "shallow"
    lab.run("git", "clone", "--quiet", "--depth", "1", lab.folder.as_uri(), str(shallow))
    with pytest.raises(RefusedError, match="shallow clone") as refused:
        promote(shallow, "tier1")
    assert "git fetch --unshallow" in refused.value.hint


@pytest.mark.slow
def test_trials_that_were_deleted_still_count(lab: Any) -> None:
    """An experiment is a reference that `dvc exp remove` deletes."""
    commit = lab.run("git", "rev-parse", "HEAD").stdout.strip()
    names = {seed: f"refs/exps/{commit[:2]}/{commit[2:]}/trial-{seed}" for seed in (3, 4, 5)}
    for seed, name in names.items():
        lab.run("git", "update-ref", name, lab.train(seed, seed / 200))
        lab.run("git", "reset", "--quiet", "--hard", commit)
    lab.run("dvc", "checkout", "--quiet", "--force")
    assert promote(lab.folder, "tier1").record.trials == 4
    for name in names.values():
        lab.run("git", "update-ref", "-d", name)
    lab.train(6, 0.06)
    assert promote(lab.folder, "tier1").record.trials == 4


def test_a_version_is_never_released_twice(lab: Any) -> None:
    promote(lab.folder, "tier1")
    before = run(lab.folder, "for-each-ref")
    with pytest.raises(RefusedError, match=r"already released as `tier1@v1\.0\.0`") as refused:
        promote(lab.folder, "tier1")
    assert f"`git remote add origin URL && {PUBLISH}`" in refused.value.hint
    lab.train(2, 0.07)
    with pytest.raises(RefusedError, match=r"`tier1@v1\.0\.0` exists") as refused:
        promote(lab.folder, "tier1", version=tags.Version(1, 0, 0))
    assert "v1.1.0" in refused.value.hint
    assert run(lab.folder, "for-each-ref", "refs/tags") in before


@pytest.mark.slow
def test_a_tag_that_gto_made_counts_as_a_version_and_as_the_best(lab: Any) -> None:
    lab.run("gto", "register", "tier1", "--version", "v3.2.0")
    lab.run("gto", "assign", "tier1", "--version", "v3.2.0", "--stage", "best")
    lab.train(2, 0.04)
    with pytest.raises(RefusedError, match=r"`tier1@v3\.2\.0`, has 0\.055000"):
        promote(lab.folder, "tier1")
    lab.train(3, 0.06)
    assert promote(lab.folder, "tier1").tags == ("tier1@v3.3.0", "tier1#best#2")


def test_an_invalid_tier_is_refused(lab: Any) -> None:
    with pytest.raises(ConfigError, match=r"`tier 1` cannot be a tier's name"):
        promote(lab.folder, "tier 1")


def lose_a_child(lab: Any) -> str:
    """Removes a file of a directory from the bucket without DVC noticing."""
    lab.run("dvc", "push", "--quiet")
    listing = next(path for path in lab.bucket.rglob("*.dir") if "features" in path.read_text())
    child = json.loads(listing.read_text())[0]["md5"]
    (lab.bucket / "files/md5" / child[:2] / child[2:]).unlink()
    return f"files/md5/{child[:2]}/{child[2:]}"


def test_a_lost_file_of_a_directory_is_uploaded_again(lab: Any) -> None:
    child = lose_a_child(lab)
    assert promote(lab.folder, "tier1").tags
    assert (lab.bucket / child).read_bytes() == (lab.folder / ".dvc/cache" / child).read_bytes()


def test_an_object_without_an_intact_copy_is_found_after_the_push(lab: Any) -> None:
    cached = lab.folder / ".dvc/cache" / lose_a_child(lab)
    cached.chmod(0o644)
    cached.write_bytes(b"altered")
    cached.chmod(0o444)  # DVC takes a read-only cache file for intact
    with pytest.raises(RefusedError, match=r"bucket is incomplete .* `data/dataset/.*` is missing") as refused:
        promote(lab.folder, "tier1")
    assert "gogooku3 audit --repair" in refused.value.hint
    assert not lab.tags()


@pytest.mark.parametrize("change", ["commit", "edit"])
def test_a_working_tree_that_changes_during_the_checks_is_not_tagged(lab: Any, change: str) -> None:
    def meddle(step: str) -> None:
        if step == "bucket" and change == "commit":
            lab.run("git", "commit", "--quiet", "--allow-empty", "--message", "Meanwhile")
        elif step == "bucket":
            (lab.folder / "params.yaml").write_text("mine")

    with pytest.raises(RefusedError, match=r"HEAD moved away from commit|the working tree differs"):
        promote(lab.folder, "tier1", progress=meddle)
    assert lab.tags() == set()


def test_without_a_bucket_nothing_is_tagged(lab: Any) -> None:
    lab.bucket.rmdir()
    with pytest.raises(StoreError, match="does not exist"):
        promote(lab.folder, "tier1")
    assert not lab.tags()


def test_a_lost_stage_tag_is_made_again_byte_for_byte(lab: Any) -> None:
    promote(lab.folder, "tier1")
    before = run(lab.folder, "for-each-ref", "refs/tags")
    run(lab.folder, "update-ref", "-d", "refs/tags/tier1#best#1")
    assert finish_stage_tags(lab.folder, "tier1") == ["tier1#best#1"]
    assert run(lab.folder, "for-each-ref", "refs/tags") == before
    assert finish_stage_tags(lab.folder, "tier1") == []


def start(lab: Any, *options: str) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    return subprocess.Popen(
        [*COMMAND, *options], cwd=lab.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.slow
def test_the_command_prints_tags_and_record_as_json_and_progress_elsewhere(lab: Any) -> None:
    with start(lab, "--version", "v0.1.0", "--json") as process:
        printed, stderr = process.communicate()
    assert process.returncode == 0, stderr
    content = json.loads(printed)
    assert content["tags"] == ["tier1@v0.1.0", "tier1#best#1"]
    assert content["recomputed"].endswith("recomputed from `data/predictions.parquet`: identical")
    record = parse(tags.read(lab.folder).releases[0].tag.message)
    assert record is not None
    assert content["record"] == json.loads(json.dumps(asdict(record)))
    assert stderr.splitlines()[-1] == "checking: bucket"


def test_an_empty_reason_is_refused(lab: Any) -> None:
    with start(lab, "--despite-worse", " ") as process:
        _, stderr = process.communicate()
    assert (process.returncode, "the reason is empty" in stderr) == (2, True)
    assert not lab.tags()


@pytest.mark.slow
def test_killed_before_any_step_it_leaves_no_tag_and_the_next_run_completes(lab: Any) -> None:
    for step in ("`dvc status`", "package", "push", "bucket"):
        with start(lab) as process:
            assert process.stderr is not None
            stderr = [line for line in iter(process.stderr.readline, f"checking: {step}\n") if line]
            process.send_signal(signal.SIGKILL)
            process.communicate()
            assert process.returncode == -signal.SIGKILL, stderr
        assert not lab.tags()
    with start(lab) as process:
        printed, stderr = process.communicate()
    assert process.returncode == 0, stderr
    assert f"no Git remote: tags stay local; publish: `git remote add origin URL && {PUBLISH}`" in printed
    assert lab.tags() == {"tier1@v1.0.0", "tier1#best#1"}


HOOK = """#!/bin/sh
[ "$1" = prepared ] && kill -9 {victim}
exit 0
"""


def hook(lab: Any, victim: str) -> None:
    """Kills a process while Git has locked both tags and written neither."""
    script = lab.folder / ".git/hooks/reference-transaction"
    script.write_text(HOOK.format(victim=victim))
    script.chmod(0o755)


@pytest.mark.slow
def test_killed_while_git_makes_the_tags_it_leaves_both(lab: Any) -> None:
    hook(lab, "$(cat .git/victim)")
    with start(lab) as process:
        (lab.folder / ".git/victim").write_text(str(process.pid))
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 120
    while lab.tags() != {"tier1@v1.0.0", "tier1#best#1"} and time.monotonic() < deadline:
        time.sleep(0.05)
    assert lab.tags() == {"tier1@v1.0.0", "tier1#best#1"}


@pytest.mark.slow
def test_if_git_itself_is_killed_no_tag_is_made_and_the_next_run_names_its_lock(lab: Any) -> None:
    hook(lab, "$PPID")
    with pytest.raises(GitError):
        promote(lab.folder, "tier1")
    assert not lab.tags()
    (lab.folder / ".git/hooks/reference-transaction").unlink()
    with pytest.raises(GitError, match=r"\.lock': File exists"):
        promote(lab.folder, "tier1")
    for left in (lab.folder / ".git/refs/tags").glob("*.lock"):
        left.unlink()
    assert promote(lab.folder, "tier1").tags == ("tier1@v1.0.0", "tier1#best#1")
