"""Backward compatibility: files of earlier releases are read by every command that reads released files.

Scores need not be bitwise identical here: a later version may compute them differently. They must stay within the
package's tolerance, and no check may fail.
"""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from gogooku3 import config, paths
from gogooku3.dataset.schema import Schema
from gogooku3.export import export
from gogooku3.features.registry import select
from gogooku3.metrics.split_file import table_of
from gogooku3.model.weights import load, read_architecture, read_tensors
from gogooku3.package.environment import read_numerics
from gogooku3.package.lineage import Parent, read_lineage
from gogooku3.package.manifest import check_manifest
from gogooku3.package.predict import predict
from gogooku3.recovery.archive.release import listing
from gogooku3.recovery.audit import audit
from gogooku3.recovery.base_model import pull_release
from gogooku3.recovery.changes import Change
from gogooku3.recovery.checks.environment import usable
from gogooku3.recovery.checks.golden import TOLERANCE
from gogooku3.recovery.compare import compare
from gogooku3.recovery.dataset_diff.compare import dataset_diff
from gogooku3.recovery.diff import diff
from gogooku3.recovery.leaderboard import leaderboard
from gogooku3.recovery.locate import locate
from gogooku3.recovery.recomputed import is_close, measure_again
from gogooku3.recovery.recover import compare_with_record
from gogooku3.recovery.releases import git, sessions, tags
from gogooku3.recovery.releases.clone import clone as clone_at
from gogooku3.recovery.releases.new_tags import finish_stage_tags
from gogooku3.recovery.releases.package_commit import PackageCommit, commit_of_package, dataset_hint
from gogooku3.recovery.releases.record import SPLITS, Record, measured, message, parse
from gogooku3.recovery.releases.results import mean_rank_ic, track_record
from gogooku3.recovery.reproduction import comparison, first_difference, pipeline
from gogooku3.recovery.sources import open_sources
from gogooku3.recovery.storage import lock
from gogooku3.recovery.storage.fetch import fetch
from gogooku3.recovery.storage.open import open_cache
from gogooku3.recovery.tiers import tiers
from gogooku3.recovery.trials import count, readings
from gogooku3.recovery.verify import verify
from gogooku3.report import compare_page
from gogooku3.runtime.files import sha256_file
from gogooku3.stages.parent import FILES
from gogooku3.training.phases import PHASES
from gogooku3.training.start import require_match, start

from .conftest import STAGE_TAG, TAG, Clone, Kept, Unpacked, holds

OF_THE_MACHINE = {"environment", "golden", "variables"}
"""Checks that may have the outcome `noted`: another machine, other numerics."""


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def record_of(kept: Kept) -> Record:
    record = parse(kept.message)
    assert record is not None
    return record


def require_good(checks: dict[str, str], *, skipped: set[str]) -> None:
    """Requires every check to pass, except those that need more inputs or may be `noted`; the tag is not signed."""
    assert checks.pop("signature") in ("noted", "skipped")
    assert {name for name, outcome in checks.items() if outcome == "skipped"} == skipped
    assert {checks[name] for name in OF_THE_MACHINE} <= {"passed", "noted"}, checks
    assert {outcome for name, outcome in checks.items() if name not in OF_THE_MACHINE | skipped} == {"passed"}, checks


# The package.


def test_the_package_is_what_its_manifest_promises(kept: Kept) -> None:
    check_manifest(kept.package)


def test_every_check_of_the_package_passes_or_notes(kept: Kept) -> None:
    verdict = verify(kept.package, dataset=None, lock=None)
    require_good({check.name: check.finding.outcome for check in verdict.checks}, skipped={"dataset", "lock"})


def test_its_numerics_are_read_as_they_were_written(kept: Kept) -> None:
    written = read(kept.package / "environment.json")["numerics"]
    assert written.items() <= asdict(read_numerics(kept.package)).items()


def test_its_schema_is_read_and_has_the_abi_of_the_model(kept: Kept) -> None:
    schema, written = Schema.read(kept.package / "schema.json"), read(kept.package / "schema.json")
    assert [asdict(column) for column in schema.features] == written["features"]
    assert schema.abi == written["abi"] == read_architecture(kept.package).abi


def test_its_lineage_is_read(kept: Kept) -> None:
    assert read_lineage(kept.package) is None


def test_its_network_is_loaded_with_every_tensor(kept: Kept) -> None:
    network, tensors = load(kept.package).state_dict(), read_tensors(kept.package / "model.safetensors")
    assert network.keys() == tensors.keys()
    assert all(torch.equal(network[name], tensor) for name, tensor in tensors.items())


# The tag.


def test_the_tag_gives_its_record(kept: Kept) -> None:
    record = record_of(kept)
    assert (f"{record.tier}@{record.version}", record.stage_tag) == (TAG, STAGE_TAG)
    assert record.model_sha256 == sha256_file(kept.package / "model.safetensors")
    assert record.environment == read(kept.package / "environment.json")
    assert record.parent == read_lineage(kept.package)


def test_a_message_from_the_record_says_all_that_the_tag_says(kept: Kept) -> None:
    """The text may change; the facts may not, and new ones may be added."""
    again = message(record_of(kept))
    assert parse(again) == record_of(kept)
    old, new = (json.loads(text.rpartition("\nrecord: ")[2]) for text in (kept.message, again))
    assert old.items() <= new.items()


def test_the_tag_says_what_the_metrics_hold(kept: Kept, repository: Path) -> None:
    record = record_of(kept)
    assert record.validation == measured(repository, TAG, "validation")
    assert record.test == measured(repository, TAG, "test")


def test_the_registry_lists_the_release(kept: Kept, repository: Path) -> None:
    (row,) = tiers(repository)
    assert (row.tag, row.best, row.record) == (TAG, True, record_of(kept))
    assert str(tags.read(repository).next_version("demo")) == "v1.1.0"


def test_a_lost_stage_tag_is_made_again_to_the_byte(repository: Path, tmp_path: Path) -> None:
    git.run(tmp_path, "clone", "--quiet", str(repository), "clone")
    git.run(tmp_path / "clone", "tag", "--delete", STAGE_TAG)
    assert finish_stage_tags(tmp_path / "clone", "demo") == [STAGE_TAG]
    assert git.run(tmp_path / "clone", "rev-parse", STAGE_TAG) == git.run(repository, "rev-parse", STAGE_TAG)


# The metrics.


@pytest.mark.parametrize("split", SPLITS)
def test_the_results_of_the_tag_are_read(kept: Kept, repository: Path, split: str) -> None:
    metrics = read(kept.metrics / f"{split}.json")
    mean = mean_rank_ic(repository, TAG, split)
    assert mean is not None
    assert mean.value == metrics["mean_rank_ic"]["value"]
    track, days = track_record(repository, TAG, split), sessions.read(repository, TAG, split)
    assert track is not None
    assert track.sessions == metrics["sessions"]
    assert days is not None
    assert days.filter(pl.col("net").is_not_nan()).height == metrics["sessions"]
    for horizon, cell in metrics["rank_ic"].items():
        assert math.isclose(days[f"rank_ic_{horizon}"].drop_nans().mean(), cell["value"])


def test_the_leaderboard_has_a_row_of_it(kept: Kept, repository: Path) -> None:
    record = record_of(kept)
    (row,) = (line for line in leaderboard(repository).splitlines() if f"`{TAG}`" in line)
    ratings = (str(mean_rank_ic(repository, TAG, split)) for split in SPLITS)
    for cell in (*ratings, str(record.validation.sharpe), str(record.test.sharpe), record.model_sha256[:12]):
        assert cell in row
    assert "**best**" in row


def test_it_is_put_beside_another_model_on_a_page(kept: Kept, repository: Path, tmp_path: Path) -> None:
    pair = compare(repository, TAG)
    for split in SPLITS:
        assert pair.old.metrics[split] == read(kept.metrics / f"{split}.json")
        assert pair.differences[split]["sessions"] == pair.old.metrics[split]["sessions"]
        assert pair.differences[split]["mean_rank_ic"]["value"] == 0.0
    compare_page.write(pair, tmp_path / "compare.html")
    assert TAG in (tmp_path / "compare.html").read_text(encoding="utf-8")


# The archive.


def test_the_archive_is_listed_and_every_byte_checked(kept: Kept, clone: Clone, unpacked: Unpacked) -> None:
    found = listing(kept.archive, check=True)
    assert found.checked
    assert (found.manifest.tag, found.manifest.commit) == (TAG, clone.commit)
    assert found.record == clone.record
    files = {
        path: sum(name == path or name.startswith(f"{path}/") for name in unpacked.outputs)
        for path in found.manifest.outputs
    }
    assert {part.path: part.files for part in found.outputs} == files


def test_the_archive_is_restored_with_every_output(clone: Clone, unpacked: Unpacked) -> None:
    assert clone.restored.good
    assert (clone.restored.tag, set(git.tag_names(clone.root))) == (TAG, {TAG, STAGE_TAG})
    assert holds(clone.root, unpacked.outputs)
    assert git.changes(clone.root) == []
    require_good({check["name"]: check["outcome"] for check in clone.restored.verdict["checks"]}, skipped=set())


def test_the_archives_own_script_restores_every_output(unpacked: Unpacked, tmp_path: Path) -> None:
    script = str(unpacked.folder / "restore.py")
    subprocess.run([sys.executable, "-I", script, str(tmp_path / "back")], check=True, capture_output=True)
    assert holds(tmp_path / "back", unpacked.outputs)


def test_it_is_cloned_and_its_objects_come_from_the_archive(
    kept: Kept, clone: Clone, unpacked: Unpacked, tmp_path: Path
) -> None:
    """The steps of `recover`, with an empty remote."""
    (tmp_path / "empty").mkdir()
    settings = tmp_path / "settings"
    settings.write_text(f"['remote \"store\"']\n    url = {tmp_path / 'empty'}\n")
    target = tmp_path / "clone"
    release = clone_at(str(clone.root), "demo", target, settings)
    assert (release.tag.name, release.commit) == (TAG, clone.commit)
    cache, outs = open_cache(target), lock.outputs(target, None)
    with open_sources(target, [kept.archive]) as sources:
        fetched = fetch(cache, sources, outs, lambda _what, _done, _total: None)
    fetched.require_complete()
    assert fetched.brought[str(kept.archive)] == len(unpacked.manifest.objects)
    assert compare_with_record(clone.root, release)


# The repository of a release.


def test_the_lock_file_gives_every_output(clone: Clone, unpacked: Unpacked) -> None:
    outs = lock.outputs(clone.root, TAG)
    assert {output.path: output.md5 for output in outs} == unpacked.manifest.outputs
    assert lock.locked_tags(clone.root) == sorted((TAG, STAGE_TAG))
    stages = pipeline.stages(git.show(clone.root, TAG, "dvc.lock") or "")
    written = {path: md5 for stage in stages for path, md5 in stage.outs.items()}
    assert unpacked.manifest.outputs.items() <= written.items()
    assert all(stage.same for stage in comparison.compare(stages, stages, {}))


def test_its_store_and_cache_are_audited(clone: Clone, unpacked: Unpacked) -> None:
    (row,) = tiers(clone.root, check=True)
    assert row.in_bucket
    found = audit(clone.root, [TAG], local=True)
    assert (found.passed, found.objects) == (True, len(unpacked.manifest.objects))


def test_its_package_is_located(clone: Clone) -> None:
    found = locate(clone.root, TAG)
    assert all(place.is_whole for place in (found.tree, found.cache, *found.remotes))
    assert (TAG in found.tags, found.somewhere, found.command) == (True, True, "")


def test_the_commit_of_its_package_is_found(clone: Clone) -> None:
    made = commit_of_package(clone.package)
    assert made == PackageCommit(clone.root, clone.commit, TAG)
    assert "the parameters here are the same" in dataset_hint(made, clone.dataset)


def test_its_trials_are_counted(clone: Clone) -> None:
    assert count(clone.root, "demo", TAG).count == clone.record.trials
    assert readings(clone.root, "demo", TAG) == clone.record.test_readings


def test_it_differs_from_the_commit_before_it(clone: Clone) -> None:
    """The commit before has the project with the demo's parameters, and no outputs."""
    found = diff(clone.root, f"{TAG}^", TAG)
    assert {"quotes.stocks", "dataset.horizons"} <= {change.name for change in found.parameters}
    assert "dataset.split.validation_from" in {change.name for change in found.split}
    assert {change.name for change in found.data} == {"data/quotes", "data/dataset"}
    metrics = {change.name: change.new for change in found.metrics}
    for split in SPLITS:
        assert metrics[f"{split}.sharpe"]["value"] == getattr(clone.record, split).sharpe.value


def test_its_parameters_are_read_by_todays_names(clone: Clone) -> None:
    assert config.load_released(clone.root / "params.yaml").dataset.features == "core"


@pytest.fixture
def renamed(clone: Clone, tmp_path: Path) -> Clone:
    """A clone of the release whose `params.yaml` has today's name of the feature set."""
    git.run(tmp_path, "clone", "--quiet", str(clone.root), "clone")
    root = tmp_path / "clone"
    git.run(root, "checkout", "--quiet", TAG)
    name_set(root, "core")
    return replace(clone, root=root)


def name_set(root: Path, name: str) -> None:
    params = root / "params.yaml"
    text, changes = re.subn(r"^  features: \w+$", f"  features: {name}", params.read_text(), flags=re.MULTILINE)
    assert changes == 1
    params.write_text(text)


def test_a_set_of_features_by_another_name_is_no_difference(renamed: Clone) -> None:
    found = diff(renamed.root, TAG)
    assert (found.parameters, found.features) == ([], [])
    made = PackageCommit(renamed.root, renamed.commit, TAG)
    assert "the parameters here are the same" in dataset_hint(made, renamed.dataset)


def test_another_set_of_features_is_told_by_todays_names(renamed: Clone) -> None:
    name_set(renamed.root, "extended")
    found = diff(renamed.root, TAG)
    assert found.parameters == [Change("dataset.features", "core", "extended")]
    old, new = (Counter(feature.family for feature in select(name)) for name in ("core", "extended"))
    assert found.features == [Change(name, old[name], count) for name, count in new.items() if old[name] != count]
    made = PackageCommit(renamed.root, renamed.commit, TAG)
    assert "or here `dvc exp run -S dataset.features=core dataset`" in dataset_hint(made, renamed.dataset)


def test_a_history_that_differs_is_told_by_its_first_number(clone: Clone, tmp_path: Path) -> None:
    recorded = clone.root / "models/finetune/history.json"
    history = read(recorded)
    history["step_losses"][0] += 1.0
    (tmp_path / "history.json").write_text(json.dumps(history))
    found = first_difference.first_difference(recorded, tmp_path / "history.json", "models/finetune/history.json")
    assert found.where == {"phase": "finetune", "epoch": 0, "step": 0, "value": "loss"}


# The data of a release.


def test_the_package_scores_its_dataset_as_the_evaluation_did(clone: Clone) -> None:
    recorded = pl.read_parquet(clone.root / "data/predictions.parquet")
    days = recorded["Date"]
    numerics = read_numerics(clone.package)
    found = predict(clone.package, clone.dataset, usable(numerics), days.min(), days.max())
    assert found.frame.schema == recorded.schema
    assert found.frame.select("Date", "Code").equals(recorded.select("Date", "Code"))
    names = [name for name in recorded.columns if name.startswith("score_")]
    scores, again = (frame.select(names).to_numpy() for frame in (recorded, found.frame))
    assert abs(again - scores).max() <= TOLERANCE[numerics.precision] * abs(scores).max()


def test_its_dataset_is_compared(clone: Clone, tmp_path: Path) -> None:
    """The dataset in the tag, in the working tree, and as a folder with a missing month."""
    assert dataset_diff(clone.root, TAG, "workspace").same
    shutil.copytree(clone.dataset, tmp_path / "dataset")
    last = sorted((clone.dataset / "features").iterdir())[-1].name
    contents = read(clone.dataset / "contents.json")
    for kind in ("features", "targets", "graph"):
        (tmp_path / "dataset" / kind / last).unlink()
        del contents[f"{kind}/{last}"]
    (tmp_path / "dataset/contents.json").write_text(json.dumps(contents))
    found = dataset_diff(clone.root, TAG, str(tmp_path / "dataset"))
    assert [months.removed for months in found.months] == [[last.removesuffix(".parquet")]] * 3


def test_training_starts_from_it(clone: Clone, tmp_path: Path) -> None:
    parent = pull_release(clone.root, TAG, FILES, tmp_path)
    assert parent == Parent(TAG, clone.commit, clone.record.model_sha256)
    architecture = read_architecture(tmp_path)
    require_match(tmp_path, TAG, architecture, Schema.read(clone.dataset / "schema.json"))
    network, state = start(
        PHASES["baseline"], replace(architecture, adaptive_norm=None, graph=None), 1, tmp_path, tmp_path
    )
    tensors = read_tensors(tmp_path / "model.safetensors")
    own = network.state_dict()
    assert own
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in own.items())
    assert {name.partition(".")[2] for name in state} <= own.keys()
    assert state


def test_its_metrics_are_computed_again_from_its_scores(clone: Clone, tmp_path: Path) -> None:
    """Rankings to rounding. Version 0.1.0 traded at closes that do not exist and lost returns over gaps, so the
    portfolio's numbers are others, and its intervals and t-values of RankIC were those of another method."""
    measure_again(clone.root, tmp_path, config.load_released(clone.root / "params.yaml").evaluation)
    names = [path.relative_to(tmp_path) for path in tmp_path.rglob("*.*")]
    assert len(names) == 11
    rankings = [Path("plots") / name for name in ("rank_ic.csv", "quantiles.csv")]
    assert [name for name in rankings if not is_close(clone.root / name, tmp_path / name)] == []
    for split in ("validation", "test"):
        files = (root / paths.metrics_of(split) for root in (clone.root, tmp_path))
        old, new = (table_of(json.loads(file.read_text())) for file in files)
        for metric in ("rank_ic", "ic"):
            for horizon, found in old[metric].items():
                assert new[metric][horizon]["value"] == pytest.approx(found["value"], rel=1e-9), (split, metric)


def test_its_scores_and_returns_are_exported(clone: Clone, tmp_path: Path) -> None:
    rows = export(clone.root, "test", 5, tmp_path / "out")
    horizons = list(clone.record.test.rank_ic)
    assert {f"alphalens/score_{h}.parquet" for h in horizons} <= rows.keys()
    assert all(rows.values())
