"""Doctor names a site cache of DVC that other users can write to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gogooku3.recovery.doctor import site_cache as module
from gogooku3.recovery.doctor.site_cache import site_cache


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the site cache. Others count as able to enter it, although pytest's folders are closed to them."""
    monkeypatch.setattr(module, "_is_closed", lambda each: False)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    return tmp_path / "site"


def made(folder: Path, mode: int) -> None:
    for each in (folder, folder / "repo"):
        each.mkdir()
        each.chmod(mode)


def test_a_folder_that_dvc_will_make_for_everybody(toy: Any, folder: Path) -> None:
    finding = site_cache(toy.folder)
    assert finding.outcome == "noted"
    assert f"`{folder}`: DVC will let other users write there" in finding.found
    assert "CVE-2025-69872" in finding.found
    assert "mkdir -p -m 700" in finding.hint
    assert "dvc config --global core.site_cache_dir" in finding.hint


def test_a_folder_that_everybody_can_write_to(toy: Any, folder: Path) -> None:
    made(folder, 0o777)
    finding = site_cache(toy.folder)
    assert (finding.outcome, "other users can write there" in finding.found) == ("noted", True)
    assert f"chmod 700 {folder}" in finding.hint


def test_a_folder_of_another_user(toy: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(folder, 0o755)
    assert site_cache(toy.folder).outcome == "passed"
    monkeypatch.setattr(module, "_OWNERS", (99999,))
    assert site_cache(toy.folder).outcome == "noted"


def test_a_private_folder_and_one_in_a_private_folder(
    toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    for site in (private, private / "site"):
        monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(site))
        assert site_cache(toy.folder).outcome == "passed"


def test_the_setting_counts_if_there_is_no_variable(toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DVC_SITE_CACHE_DIR")
    toy.local("core", site_cache_dir=str(tmp_path / "mine"))
    assert f"`{tmp_path / 'mine'}`" in site_cache(toy.folder).found
