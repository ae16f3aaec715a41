from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from gogooku3.errors import DataError
from gogooku3.recovery.audit import audit
from gogooku3.recovery.run_cache_audit import RunCache, audit_runs

from .conftest import Toy

RUNS = ".dvc/cache/runs"


def audited(toy: Toy, *revs: str | None) -> RunCache:
    return audit_runs(toy.folder, revs or (None,), lambda _what, _done, _total: None)


def drawn(toy: Toy) -> str:
    return hashlib.md5((toy.folder / "draw.bin").read_bytes()).hexdigest()


def record_of(toy: Toy, output: str) -> Path:
    """The run cache's only record of the stage with an output."""
    [file] = [file for file in (toy.folder / RUNS).glob("*/*/*") if f"path: {output}\n" in file.read_text()]
    return file


def other_machine(toy: Toy, target: Path) -> Toy:
    """A clone in which the stage `measure` gives another result, with a shared run cache."""
    shared = target.with_name("shared")
    shared.mkdir()
    toy.local("core", remote="shared")
    toy.local("'remote \"shared\"'", url=str(shared))
    clone = toy.clone(target)
    (clone.folder / "machine.txt").write_text("another machine\n")
    clone.run("dvc", "repro", "--quiet", "--single-item", "--force", "measure")
    clone.run("dvc", "push", "--quiet", "--run-cache", "measure")
    return clone


def test_a_stage_that_gives_two_results_is_a_conflict(unstable):
    hashes = [drawn(unstable)]
    unstable.run("dvc", "repro", "--quiet", "--force")
    hashes.insert(0, drawn(unstable))
    found = audited(unstable)
    assert not found.passed
    assert (found.folder, found.recorded, found.damaged) == (str(unstable.folder / RUNS), 3, ())
    [conflict] = found.conflicts
    assert conflict.stage == "draw"
    assert conflict.command.startswith("python -c ")
    assert conflict.outputs == ("draw.bin",)
    assert [run.outputs["draw.bin"] for run in conflict.runs] == hashes
    assert conflict.runs[0].written > conflict.runs[1].written
    assert all(Path(run.path).parent.name == conflict.key for run in conflict.runs)
    assert "`dvc repro --single-item --force draw`" in conflict.hint


def test_a_stage_that_gives_one_result_however_often_is_none(unstable):
    unstable.run("dvc", "repro", "--quiet", "--single-item", "--force", "measure")
    assert audited(unstable).passed
    (unstable.folder / "seed.txt").write_text("other inputs\n")
    unstable.run("dvc", "repro", "--quiet")
    found = audited(unstable)
    assert found.passed
    assert found.recorded == 4


def test_two_machines_with_a_shared_run_cache_conflict_and_the_hint_resolves_it(unstable, tmp_path):
    other_machine(unstable, tmp_path / "clone")
    ours = unstable.object_of("measured")
    unstable.run("dvc", "pull", "--quiet", "--run-cache", check=False)  # `draw` is in no remote
    found = audited(unstable)
    assert [conflict.outputs for conflict in found.conflicts] == [("measured",)]
    newest, oldest = found.conflicts[0].runs
    assert (newest.outputs["measured"] == ours, oldest.outputs["measured"]) == (False, ours)

    command = re.search("`(dvc repro .*?)`", found.conflicts[0].hint)[1]
    unstable.run(*command.split())
    assert unstable.object_of("measured") == ours
    Path(newest.path).unlink()
    assert audited(unstable).passed


@pytest.mark.slow
def test_dvc_restores_the_first_of_the_runs(unstable, tmp_path):
    other_machine(unstable, tmp_path / "clone")
    unstable.run("dvc", "pull", "--quiet", "--run-cache", check=False)
    newest = audited(unstable).conflicts[0].runs[0]
    (unstable.folder / "dvc.lock").unlink()
    unstable.run("dvc", "repro", "--quiet", "--pull", "--single-item", "measure")
    assert unstable.object_of("measured") == newest.outputs["measured"]
    assert (unstable.folder / "measured/all.txt").read_text().endswith("another machine\n")


def test_sizes_counts_and_order_make_no_conflict(unstable):
    for output in ("draw.bin", "measured"):
        file = record_of(unstable, output)
        head, outs = file.read_text().split("outs:\n")
        entries = re.findall(r"- path: (?:.+\n)(?:  .+\n)+", outs)
        assert entries
        plain = "".join(reversed([re.sub(r"  (size|nfiles): .*\n", "", entry) for entry in entries]))
        (file.parent / "other").write_text(f"outs:\n{plain}{head}")
    found = audited(unstable)
    assert found.recorded == 4
    assert found.passed


def test_an_output_that_is_executable_in_one_run_only_is_a_conflict(unstable):
    file = record_of(unstable, "draw.bin")
    text = file.read_text()
    (file.parent / "other").write_text(text.replace("- path: draw.bin\n", "- path: draw.bin\n  isexec: true\n"))
    [conflict] = audited(unstable).conflicts
    assert conflict.outputs == ("draw.bin",)
    assert {run.outputs["draw.bin"] for run in conflict.runs} == {drawn(unstable), f"{drawn(unstable)} (executable)"}


def test_an_output_that_one_record_lacks_is_a_conflict(unstable):
    file = record_of(unstable, "draw.bin")
    (file.parent / "other").write_text(re.sub(r"- path: same.txt\n(  .+\n)+", "", file.read_text()))
    assert [conflict.outputs for conflict in audited(unstable).conflicts] == [("same.txt",)]


def test_the_configured_cache_is_read(unstable, tmp_path):
    unstable.local("cache", dir=str(tmp_path / "elsewhere"))
    for _ in range(2):
        unstable.run("dvc", "repro", "--quiet", "--force")
    found = audited(unstable)
    assert found.folder == str(tmp_path / "elsewhere/runs")
    assert [conflict.stage for conflict in found.conflicts] == ["draw"]
    assert all(Path(run.path).is_relative_to(tmp_path / "elsewhere") for run in found.conflicts[0].runs)


def test_a_stage_of_an_audited_tag_is_named_with_its_checkout(unstable):
    unstable.run("dvc", "repro", "--quiet", "--force")
    [here] = audited(unstable, None, "unstable@v1.0.0").conflicts
    assert "git checkout" not in here.hint
    (unstable.folder / "params.yaml").write_text("level: 2\n")
    unstable.run("dvc", "repro", "--quiet")
    [unnamed] = audited(unstable).conflicts
    assert unnamed.stage == ""
    assert "no audited revision's `dvc.lock` has this run" in unnamed.hint
    [named] = audited(unstable, None, "unstable@v1.0.0").conflicts
    assert named.stage == "draw"
    assert "`git checkout unstable@v1.0.0 && dvc checkout && dvc repro --single-item --force draw`" in named.hint


def test_a_cache_without_runs_passes(unstable):
    for file in (unstable.folder / RUNS).glob("*/*/*"):
        file.unlink()
    assert audited(unstable).recorded == 0
    for folder in sorted((unstable.folder / RUNS).rglob("*"), reverse=True):
        folder.rmdir()
    (unstable.folder / RUNS).rmdir()
    found = audited(unstable)
    assert found.passed
    assert found.recorded == 0


def test_damaged_files_fail_the_audit_and_are_counted(unstable):
    record_of(unstable, "measured").write_text("cmd: [")
    found = audited(unstable)
    assert not found.passed
    assert (found.recorded, len(found.damaged), found.conflicts) == (2, 1, ())


def test_a_revision_that_cannot_be_read_is_named(unstable):
    unstable.run("dvc", "repro", "--quiet", "--force")
    with pytest.raises(DataError, match="`nope`"):
        audited(unstable, "nope")


def test_only_the_audit_of_the_local_cache_reads_it(pushed):
    assert audit(pushed.folder, [None]).run_cache is None
    file = record_of(pushed, "data/parts")
    file.write_text("cmd: [")
    assert audit(pushed.folder, [None]).passed
    local = audit(pushed.folder, [None], local=True)
    assert local.problems == ()
    assert [each.path for each in local.run_cache.damaged] == [str(file)]
    assert not local.passed
