"""End to end: three releases, everything else destroyed, and each is recovered exactly, by every command."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from gogooku3.training.phases import PHASES

from ..conftest import Bucket

RATES = [f"train.phases.{phase}.learning_rate" for phase in PHASES]
SLOW_LEARNER = dict.fromkeys(RATES, 1e-7)
"""Learns nothing, so that every later model is better."""
LEARNER = dict.fromkeys(RATES, 3e-3)


@dataclass(frozen=True)
class Released:
    """A Git server and a bucket, with everything else removed, and the SHA-256 of every packaged file."""

    url: str
    settings: Path
    elsewhere: Any
    """A folder without any of the project's files."""
    packages: dict[str, dict[str, str]]

    def run(self, *command: str) -> str:
        return str(self.elsewhere.run(*command).stdout)

    def clone(self, name: str) -> Any:
        self.run("git", "clone", "--quiet", self.url, name)
        clone = type(self.elsewhere)(self.elsewhere.folder / name)
        shutil.copyfile(self.settings, clone.folder / ".dvc/config.local")
        return clone


def hashes(package: Path) -> dict[str, str]:
    files = sorted(path for path in package.rglob("*") if path.is_file() and path.name != ".gitignore")
    return {str(path.relative_to(package)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def edited(params: Path, settings: dict[str, object]) -> None:
    tree = yaml.safe_load(params.read_text())
    for name, value in settings.items():
        *sections, key = name.split(".")
        section = tree
        for part in sections:
            section = section[part]
        section[key] = value
    params.write_text(yaml.safe_dump(tree, sort_keys=False))


@pytest.fixture(scope="module")
def released(small_run: Any, emulator: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Released]:
    place = tmp_path_factory.mktemp("tiers")
    bucket = Bucket(emulator, "three-tiers")
    bucket.make()
    work = small_run.copy(place / "work")
    server = place / "server.git"
    work.run("git", "clone", "--quiet", "--bare", str(work.folder), str(server))
    work.run("git", "remote", "add", "origin", str(server))
    settings = place / "settings"
    settings.write_text(
        f"['remote \"store\"']\n    url = {bucket.url}\n    endpointurl = {emulator}\n"
        "    allow_anonymous_login = true\n"
    )
    shutil.copyfile(settings, work.folder / ".dvc/config.local")
    packages = {}
    for tier, changes in (
        ("tier1", {"tier.name": "tier1"} | SLOW_LEARNER),
        ("tier2", {"tier.name": "tier2", "train.recipe.batch_size": 240} | SLOW_LEARNER),
        ("tier1", {"tier.name": "tier1", "train.recipe.batch_size": 480} | LEARNER),
    ):
        edited(work.folder / "params.yaml", changes)
        work.run("dvc", "repro", "--quiet")
        work.commit(f"Another {tier}")
        made = json.loads(work.run("gogooku3", "promote", tier, "--json").stdout)
        packages[made["tags"][0]] = hashes(work.folder / "models/package")
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    shutil.rmtree(work.folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_SITE_CACHE_DIR", str(place / "site"))
        yield Released(str(server), settings, type(work)(elsewhere), packages)


@pytest.mark.slow
def test_checkout_and_pull_give_every_package_back(released: Released) -> None:
    clone = released.clone("pulled")
    for tag, package in released.packages.items():
        clone.run("git", "checkout", "--quiet", tag)
        clone.run("dvc", "pull")
        assert hashes(clone.folder / "models/package") == package
        assert clone.changes() == ""
    listed = json.loads(clone.run("gogooku3", "tiers", "--check", "--json").stdout)
    assert {(row["tag"], row["best"], row["in_bucket"]) for row in listed} == {
        ("tier1@v1.0.0", False, True),
        ("tier1@v1.1.0", True, True),
        ("tier2@v1.0.0", True, True),
    }
    clone.run("gogooku3", "audit", "--all-tags", "--deep")


@pytest.mark.slow
def test_dvc_gives_every_package_as_an_artifact(released: Released) -> None:
    for tag, package in released.packages.items():
        target = f"artifact-{tag}"
        command = ("dvc", "artifacts", "get", released.url, tag.split("@")[0], "--rev", tag.split("@")[1])
        released.run(*command, "--config", str(released.settings), "--out", target)
        assert hashes(released.elsewhere.folder / target) == package


@pytest.mark.slow
def test_recover_gives_every_package_back_verified(released: Released) -> None:
    source = ("--from", released.url, "--settings", str(released.settings))
    for tag, package in released.packages.items():
        found = json.loads(released.run("gogooku3", "recover", tag, *source, "--to", f"back-{tag}", "--data", "--json"))
        assert (found["tag"], found["good"]) == (tag, True)
        assert hashes(released.elsewhere.folder / f"back-{tag}/models/package") == package
    best = json.loads(released.run("gogooku3", "recover", "tier1", *source, "--to", "best", "--json"))
    assert best["tag"] == "tier1@v1.1.0"


@pytest.mark.slow
def test_a_drill_in_a_new_environment_passes(released: Released) -> None:
    source = ("--from", released.url, "--settings", str(released.settings))
    report = json.loads(released.run("gogooku3", "drill", "--all-tags", *source, "--yes", "--json"))
    assert {rehearsal["tag"] for rehearsal in report["rehearsals"]} == released.packages.keys()
    assert "tier2@v1.0.0" in (released.elsewhere.folder / "logs/drill.md").read_text()


@pytest.mark.slow
def test_every_release_is_reproduced_to_the_same_hashes(released: Released) -> None:
    source = ("--from", released.url, "--settings", str(released.settings))
    for tag, package in released.packages.items():
        found = json.loads(
            released.run("gogooku3", "reproduce", tag, *source, "--yes", "--to", f"again-{tag}", "--json")
        )
        assert (found["tag"], found["same"]) == (tag, True)
        assert hashes(released.elsewhere.folder / f"again-{tag}/models/package") == package
