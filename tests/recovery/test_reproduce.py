"""`reproduce` with stages that only copy: compared outputs, recorded outputs, refusals, kept and removed clones."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from gogooku3.config.train import LAST_PHASE
from gogooku3.recovery.promote import promote
from gogooku3.recovery.storage import lock

from .lab import STAGES


@dataclass(frozen=True)
class Release:
    """A test repository with a released model, and the command that trains it again."""

    lab: Any
    temporary: Path

    def command(self, *more: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        done: subprocess.CompletedProcess[str] = self.lab.run(
            "env", f"TMPDIR={self.temporary}", "gogooku3", "reproduce", "tier1", *more, cwd=cwd, check=False
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def reproduce(self, *more: str, code: int = 0) -> Any:
        done = self.command("--json", *more)
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    def stages(self, found: Any) -> dict[str, bool]:
        return {
            stage["stage"]: all(output["recorded"] == output["here"] for output in stage["outputs"])
            for stage in found["stages"]
        }

    def change_pipeline(self, stage: str, **entries: Any) -> None:
        """Rewrites a stage in `dvc.yaml`."""
        file = self.lab.folder / "dvc.yaml"
        content = yaml.safe_load(file.read_text())
        content["stages"][stage] |= entries
        file.write_text(yaml.safe_dump(content))

    def promote(self) -> None:
        promote(self.lab.folder, "tier1")

    def tag_by_hand(self) -> None:
        """Tags without `promote`'s slow checks, or what it would refuse."""
        for tag in ("tier1@v1.0.0", "tier1#best#1"):
            self.lab.run("git", "tag", "-a", "-m", "by hand", tag)
        self.lab.run("dvc", "push", "--quiet")

    def lose_everything(self) -> None:
        """Empties the bucket and the local cache."""
        for place in (self.lab.bucket, self.lab.folder / ".dvc/cache"):
            shutil.rmtree(place / "files")


@pytest.fixture
def release(lab: Any, tmp_path: Path) -> Release:
    (tmp_path / "temporary").mkdir()
    (lab.folder / ".dvc/config.local").write_text(f"['remote \"store\"']\n    url = {lab.bucket}\n")
    return Release(lab, tmp_path / "temporary")


@pytest.mark.slow
def test_a_release_is_reproduced_and_leaves_nothing_behind(release: Release) -> None:
    release.promote()
    found = release.reproduce()
    assert set(release.stages(found).items()) == {(name, True) for name in STAGES}
    assert (found["same"], found["differences"], found["folder"]) == (True, [], None)
    assert found["domain"]["outcome"] == "passed"
    compared = {output["path"] for stage in found["stages"] for output in stage["outputs"]}
    assert {"data/dataset", "models/package/golden/inputs.safetensors", "metrics/test.json"} <= compared
    assert list(release.temporary.iterdir()) == []
    assert release.lab.run("git", "status", "--porcelain").stdout == ""


JUDGE = """
import json
print(json.dumps({"checks": [{"name": "environment", "outcome": "noted", "found": "by the release", "hint": ""}]}))
"""


@pytest.mark.slow
def test_the_exact_domain_is_checked_by_the_release_s_source_or_by_ours_without_one(
    release: Release,
) -> None:
    own = release.lab.folder / "src/gogooku3"
    for name, text in (("__init__.py", ""), ("cli/__init__.py", ""), ("cli/__main__.py", JUDGE)):
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).write_text(text)
    release.lab.commit("A source of its own")
    release.tag_by_hand()
    assert release.reproduce()["domain"]["found"] == "by the release"


@pytest.mark.slow
def test_a_stage_that_is_only_in_the_lock_file_is_ignored(release: Release) -> None:
    """DVC keeps it there, such as the folds of an earlier walk-forward."""
    file = release.lab.folder / "dvc.lock"
    content = yaml.safe_load(file.read_text())
    out = {"path": "data/folds/scores/1.parquet", "md5": "0" * 32, "hash": "md5", "size": 1}
    content["stages"]["fold@1"] = {"cmd": "python src/gogooku3 stages fold 1", "outs": [out]}
    file.write_text(yaml.safe_dump(content))
    release.lab.commit("A lock file that has walked forward")
    release.tag_by_hand()
    assert set(release.stages(release.reproduce())) == {*STAGES}


@pytest.mark.slow
def test_the_first_stage_that_differs_is_explained_from_recorded_files(release: Release) -> None:
    """A stage that writes the time: the first differing file of its directory is reported, and the clone is kept."""
    clock = "date +%N > data/dataset/features/when.txt; date +%N > data/dataset/graph.txt"
    release.change_pipeline("dataset", cmd=f"mkdir -p data && cp -r made/dataset data/ && {clock}")
    release.lab.reproduce()
    release.tag_by_hand()
    recorded = (release.lab.folder / "data/dataset/features/when.txt").read_text().strip()
    found = release.reproduce(code=1)
    assert [name for name, same in release.stages(found).items() if not same] == ["dataset"]
    (difference,) = found["differences"]
    assert difference["path"] == "data/dataset/features/when.txt"
    assert difference["note"] == "2 of 8 files differ"
    kept = Path(found["folder"])
    assert kept.is_relative_to(release.temporary)
    here = (kept / "data/dataset/features/when.txt").read_text().strip()
    assert difference["first"] == {"where": {"line": 1}, "recorded": recorded, "here": here, "extent": ""}


@pytest.mark.slow
def test_outputs_in_git_are_compared_with_the_commit(release: Release) -> None:
    release.change_pipeline(
        "metrics", cmd="cp -r made/metrics ./ && printf '{\"a\": %s}' $(date +1%N) > metrics/test.json"
    )
    release.lab.reproduce()
    recorded = json.loads((release.lab.folder / "metrics/test.json").read_text())["a"]
    release.tag_by_hand()
    done = release.command("--to", "again")
    assert done.returncode == 1
    here = json.loads((release.lab.folder / "again/metrics/test.json").read_text())["a"]
    assert f"metrics/test.json: key a: {recorded} recorded, {here} here" in done.stdout
    assert "first divergence: metrics" in done.stdout


@pytest.mark.slow
def test_recorded_files_that_no_source_has_are_named(release: Release) -> None:
    release.change_pipeline("quotes", cmd="mkdir -p data/quotes && date +%N > data/quotes/bars.txt")
    release.lab.reproduce()
    release.tag_by_hand()
    release.lose_everything()
    found = release.reproduce(code=1)
    assert found["domain"]["outcome"] == "skipped"
    (difference,) = found["differences"]
    assert (difference["path"], difference["first"]) == ("data/quotes", None)
    assert "no source has its recorded listing" in difference["note"]


@pytest.mark.slow
def test_a_release_is_reproduced_after_all_its_objects_are_lost(release: Release) -> None:
    release.promote()
    release.lose_everything()
    found = release.reproduce("--to", "again")
    assert found["same"]
    again = {output.path: output.md5 for output in lock.outputs(release.lab.folder / "again", None)}
    assert again == {output.path: output.md5 for output in lock.outputs(release.lab.folder, None)}


@pytest.mark.slow
def test_a_stage_with_a_missing_input_uses_recorded_outputs_and_is_not_called_reproduced(
    release: Release, tmp_path: Path
) -> None:
    bars = tmp_path / "bars.txt"
    bars.write_text("bars from elsewhere\n")
    copy = f"mkdir -p data/quotes && cp {bars} data/quotes/bars.txt"
    release.change_pipeline("quotes", cmd=copy, deps=[str(bars)])
    release.change_pipeline("dataset", deps=["made/dataset", "data/quotes"])
    release.lab.reproduce()
    release.tag_by_hand()
    assert not any(stage["absent"] for stage in release.reproduce()["stages"])
    bars.write_text("other bars\n")
    done = release.command("--to", "again")
    assert done.returncode == 0, done.stderr
    assert f"quotes is not run again, because {bars} is missing or has changed" in done.stderr
    assert f"not reproduced: quotes: {bars} is missing or has changed" in done.stdout
    assert (release.lab.folder / "again/data/quotes/bars.txt").read_text() == "bars from elsewhere\n"
    bars.unlink()
    release.lose_everything()
    done = release.command()
    assert (done.returncode, done.stdout) == (3, "")
    assert "data/quotes" in done.stderr
    assert list(release.temporary.iterdir()) == []


def test_other_libraries_are_named_and_refused_before_any_work(release: Release) -> None:
    file = release.lab.folder / "requirements.lock"
    file.write_text(file.read_text().replace(f"click=={version('click')}", "click==1.2.3"))
    release.lab.commit("Another lock file")
    release.tag_by_hand()
    done = release.command()
    assert (done.returncode, done.stdout) == (4, "")
    assert f"click 1.2.3 ({version('click')} here)" in done.stderr
    assert "hint: use `--new-environment`" in done.stderr
    assert "Running stage" not in done.stderr
    assert list(release.temporary.iterdir()) == []


@pytest.mark.slow
def test_a_stage_that_fails_ends_in_one_message_and_its_folder_is_kept(release: Release) -> None:
    release.change_pipeline(LAST_PHASE, cmd="echo no device here >&2; false")
    release.lab.commit("A stage that fails")
    release.tag_by_hand()
    done = release.command()
    assert (done.returncode, done.stdout) == (4, "")
    assert "no device here" in done.stderr
    assert str(next(release.temporary.glob("gogooku3-reproduce-*")) / "clone") in done.stderr


@pytest.mark.slow
def test_from_elsewhere_the_repository_is_named(release: Release, tmp_path: Path) -> None:
    release.tag_by_hand()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = release.command(cwd=elsewhere)
    assert done.returncode == 8
    assert "`--from URL`" in done.stderr
    settings = release.lab.folder / ".dvc/config.local"
    done = release.command("--from", str(release.lab.folder), "--settings", str(settings), "--yes", cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    assert "was reproduced, bitwise identical" in done.stdout
