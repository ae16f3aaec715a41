"""A release is fetched and verified once, and then needs neither repository nor bucket."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from gogooku3.errors import DataError, GitError, MismatchError
from gogooku3.package.manifest import check_manifest
from gogooku3.recovery.promote import promote
from gogooku3.serving.release import Wanted, cache_folder, resolve

from ..recovery.lab import lab, trained, training  # noqa: F401


@pytest.fixture
def delivered(lab: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wanted:  # noqa: F811
    """A released version, its repository, and a bucket that only the settings name."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    promote(lab.folder, "tier1")
    settings = tmp_path / "settings"
    settings.write_text(f"['remote \"store\"']\n    url = {lab.bucket}\n")
    return Wanted("tier1@v1.0.0", str(lab.folder), settings)


def test_a_version_is_fetched_once_with_its_parameters(delivered: Wanted, lab: Any) -> None:  # noqa: F811
    first = resolve(delivered)
    check_manifest(first.package)
    assert first.package.is_relative_to(cache_folder())
    assert first.params is not None
    assert (first.name, first.params.tier.name) == ("tier1@v1.0.0", "tier1")
    assert lab.run("git", "status", "--short").stdout == ""
    assert not (first.package.parents[1] / "data/quotes").exists()  # the package alone
    shutil.rmtree(lab.folder)
    shutil.rmtree(lab.bucket)
    assert resolve(delivered) == first


@pytest.mark.slow
def test_an_altered_package_is_not_taken_from_the_cache(delivered: Wanted, lab: Any) -> None:  # noqa: F811
    package = resolve(delivered).package
    (package / "MANIFEST.json").unlink()
    shutil.rmtree(lab.folder)
    with pytest.raises((GitError, DataError)):
        resolve(delivered)


def test_the_command_fetches_a_release_and_refuses_parameters_that_are_not_its_packages(
    delivered: Wanted,
    lab: Any,  # noqa: F811
    tmp_path: Path,
) -> None:
    """The parameters of the test repository are the demo's; its package has other horizons."""
    options = ("--repo", str(delivered.url), "--settings", str(delivered.settings), "--bars", "data/quotes")
    command = ("gogooku3", "score", delivered.name, *options, "--output", str(tmp_path / "scores.csv"))
    done = lab.run(*command, check=False, cwd=tmp_path)
    assert done.returncode == MismatchError.exit_code, done.stderr
    assert "these are not the parameters of" in done.stderr
    assert "`dataset.horizons` is [1, 5, 10, 20], the package has [1, 5]" in done.stderr
    assert not (tmp_path / "scores.csv").exists()
    assert lab.run("git", "status", "--short").stdout == ""
