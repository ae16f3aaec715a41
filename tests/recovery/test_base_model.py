"""A released model as the base model of an experiment, and the lineage that a promotion records."""

from __future__ import annotations

import re
import shutil
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gogooku3.cli.tiers import tiers as tiers_command
from gogooku3.config.train import LAST_PHASE
from gogooku3.errors import DataError, MismatchError, RefusedError
from gogooku3.package.lineage import LINEAGE, Parent, write_lineage
from gogooku3.package.manifest import write_manifest
from gogooku3.recovery import base_model
from gogooku3.recovery.base_model import pull_release, repository
from gogooku3.recovery.promote import _parent, promote
from gogooku3.recovery.releases import git, tag_objects
from gogooku3.recovery.releases.record import Record, message, parse
from gogooku3.recovery.releases.tags import find, read
from gogooku3.recovery.storage import lock
from gogooku3.recovery.storage.fetch import FetchResult, fetch
from gogooku3.recovery.storage.store import Store
from gogooku3.runtime.files import sha256_file

TAG = "tier1@v1.0.0"
MODEL = f"models/{LAST_PHASE}/model.safetensors"
PATHS = (f"models/{LAST_PHASE}/config.json", MODEL, "models/package/schema.json")


@pytest.fixture(scope="module")
def first(trained: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    lab = trained.copy(tmp_path_factory.mktemp("first"))
    promote(lab.folder, "tier1")
    return lab


@pytest.fixture(scope="module")
def second(first: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    lab = first.copy(tmp_path_factory.mktemp("second"))
    lab.train(2, 0.07)
    return lab


@pytest.fixture
def released(second: Any, tmp_path: Path) -> Any:
    """A repository with a release, and in its working tree another model that was trained after it."""
    return second.copy(tmp_path)


@pytest.fixture
def expected(first: Any) -> dict[str, bytes]:
    """The released files by name."""
    return {Path(path).name: (first.folder / path).read_bytes() for path in PATHS}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "parent"
    made.mkdir()
    return made


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def record_of(lab: Any, tag: str) -> Record:
    record = parse(find(lab.folder, tag).tag.message)
    assert record is not None
    return record


def spoil(lab: Any, place: Path, path: str = MODEL) -> None:
    """Changes the object of a released file in a store, without DVC noticing."""
    oid = next(out.md5 for out in lock.outputs(lab.folder, TAG) if out.path == path)
    stored = place / "files/md5" / oid[:2] / oid[2:]
    stored.chmod(0o644)
    stored.write_bytes(stored.read_bytes()[:-1] + b"\0")
    stored.chmod(0o444)


def test_a_released_model_is_complete_and_has_its_name(
    first: Any, released: Any, folder: Path, expected: dict[str, bytes]
) -> None:
    commit = git.commit_of(released.folder, TAG)
    model = sha256_file(first.folder / "models/package/model.safetensors")
    assert pull_release(released.folder, TAG, PATHS, folder) == Parent(TAG, commit, model)
    assert files(folder) == expected


def test_missing_or_altered_objects_of_the_cache_come_from_the_bucket(
    released: Any, folder: Path, expected: dict[str, bytes]
) -> None:
    cache = released.folder / ".dvc/cache"
    spoil(released, cache)
    pull_release(released.folder, TAG, PATHS, folder)
    assert files(folder) == expected
    shutil.rmtree(cache)
    pull_release(released.folder, TAG, PATHS, folder)
    assert files(folder) == expected


def test_a_model_without_an_intact_copy_is_refused_with_the_state_in_each_source(released: Any, folder: Path) -> None:
    spoil(released, released.folder / ".dvc/cache")
    spoil(released, released.bucket)
    with pytest.raises(DataError, match=r"model\.safetensors` \([0-9a-f]{32}\): altered in .*/bucket"):
        pull_release(released.folder, TAG, PATHS, folder)
    assert files(folder) == {}


def test_an_object_that_changes_in_the_cache_after_its_check_is_not_written(
    released: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process writes to a shared cache between the check and the read."""
    for path in PATHS:

        def fetch_then_change(cache: Store, *args: Any, path: str = path) -> FetchResult:
            result = fetch(cache, *args)
            spoil(released, released.folder / ".dvc/cache", path)
            return result

        monkeypatch.setattr(base_model, "fetch", fetch_then_change)
        with pytest.raises(DataError, match=rf"`{path}` \([0-9a-f]{{32}}\) changed in .* while it was read"):
            pull_release(released.folder, TAG, PATHS, folder)
        assert Path(path).name not in files(folder)


def test_an_unknown_release_is_refused_with_the_known_ones(released: Any, folder: Path) -> None:
    with pytest.raises(DataError, match=r"`tier1@v3\.0\.0` was never released") as refused:
        pull_release(released.folder, "tier1@v3.0.0", PATHS, folder)
    assert TAG in refused.value.hint
    with pytest.raises(DataError, match="no version of `tier2` was released; tiers with one: tier1"):
        pull_release(released.folder, "tier2@v1.0.0", PATHS, folder)


def test_a_tag_that_records_no_model_is_refused(released: Any, folder: Path) -> None:
    released.run("gto", "register", "tier2", "--version", "v0.1.0")
    with pytest.raises(DataError, match=r"`tier2@v0\.1\.0` records no model"):
        pull_release(released.folder, "tier2@v0.1.0", PATHS, folder)


@pytest.mark.slow
def test_a_release_of_another_pipeline_is_refused_by_file(released: Any, folder: Path) -> None:
    with pytest.raises(DataError, match=rf"does not record `models/{LAST_PHASE}/state\.safetensors`\n"):
        pull_release(released.folder, TAG, (*PATHS, f"models/{LAST_PHASE}/state.safetensors"), folder)


def test_a_model_that_its_tag_does_not_record_is_refused(released: Any, folder: Path) -> None:
    forged = replace(record_of(released, TAG), version="v9.0.0", model_sha256="0" * 64, stage_tag=None)
    commit = git.commit_of(released.folder, TAG)
    content = tag_objects.new_object(released.folder, "tier1@v9.0.0", commit, message(forged))
    tag_objects.create_tags(released.folder, {"tier1@v9.0.0": content})
    with pytest.raises(MismatchError, match=r"`tier1@v9\.0\.0` records a model with SHA-256 0{64}; the model in"):
        pull_release(released.folder, "tier1@v9.0.0", PATHS, folder)


@pytest.mark.slow
def test_an_experiment_in_a_temporary_folder_belongs_to_its_repository(released: Any) -> None:
    queued = released.folder / ".dvc/tmp/exps/standalone/tmp1"
    queued.mkdir(parents=True)
    git.run(queued, "init", "--quiet")
    assert repository(queued) == repository(released.folder) == released.folder.resolve()


def train_from(lab: Any, parent: Parent) -> None:
    """Makes another model whose package records a release as its parent."""
    lab.make(lab.folder / "made", 3, 0.08)
    write_lineage(parent, lab.folder / "made/package")
    write_manifest(lab.folder / "made/package")
    lab.reproduce()


def test_the_tag_records_from_which_release_the_model_was_trained(
    released: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = pull_release(released.folder, TAG, PATHS, folder)
    train_from(released, parent)
    assert promote(released.folder, "tier1").record.parent == parent
    assert record_of(released, "tier1@v1.1.0").parent == parent
    assert record_of(released, TAG).parent is None
    monkeypatch.chdir(released.folder)
    monkeypatch.setenv("COLUMNS", "80")
    assert re.findall(r"from +(\S+)", CliRunner().invoke(tiers_command).stdout) == [TAG]


def test_a_lineage_with_another_hash_or_commit_than_the_tag_is_refused(released: Any) -> None:
    record, commit = record_of(released, TAG), git.commit_of(released.folder, TAG)
    parent = Parent(TAG, commit, record.model_sha256)
    for stated, refused in (
        (parent, False),
        (replace(parent, model_sha256="0" * 64), True),
        (replace(parent, commit="0" * 40), True),
    ):
        write_lineage(stated, released.folder / "models/package")
        with pytest.raises(RefusedError, match="the tag here is at") if refused else nullcontext():
            assert _parent(released.folder, read(released.folder)) == parent


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tag": "tier1@v0.9.0"}, r"trained from `tier1@v0\.9\.0`, which is not a release in this repository"),
        ({"model_sha256": "0" * 64}, r"with SHA-256 0{64}; the tag here is at [0-9a-f]{10} and records [1-9a-f]"),
        ({"commit": "0" * 40}, r"of commit 0{10} with SHA-256"),
    ],
)
def test_a_lineage_that_no_tag_confirms_is_not_promoted(
    released: Any, folder: Path, change: dict[str, str], said: str
) -> None:
    train_from(released, replace(pull_release(released.folder, TAG, PATHS, folder), **change))
    before = released.tags()
    with pytest.raises(RefusedError, match=said):
        promote(released.folder, "tier1")
    assert released.tags() == before


def test_a_package_that_states_no_lineage_is_not_promoted(released: Any) -> None:
    released.make(released.folder / "made", 3, 0.08)
    (released.folder / "made/package" / LINEAGE).write_text("{}\n")
    write_manifest(released.folder / "made/package")
    released.reproduce()
    with pytest.raises(DataError, match="does not name the base model of the training"):
        promote(released.folder, "tier1")
