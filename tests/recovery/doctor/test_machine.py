"""Checks of versions, file modes, disk space and the numerics probe against the requirements of the clone."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from gogooku3.recovery.doctor.machine import disk, probe
from gogooku3.recovery.doctor.software import file_modes, git_version, libraries, python_version

from ..conftest import Toy


def test_library_versions_that_differ_are_listed(clone: Toy) -> None:
    assert libraries(clone.folder).outcome == "passed"
    lock = clone.folder / "requirements.lock"
    lock.write_text(
        lock.read_text() + "click==0.1\nno-such-library==1.0\nabsent==1.0 ; sys_platform == 'nowhere'\n# comment\n"
    )
    finding = libraries(clone.folder)
    assert finding.outcome == "failed"
    assert finding.found.startswith("2 of 4 differ: ")
    assert {detail["name"] for detail in finding.details} == {"click", "no-such-library"}


def test_a_wrong_python_version_fails(clone: Toy) -> None:
    assert python_version(clone.folder).outcome == "passed"
    (clone.folder / "pyproject.toml").write_text('[project]\nrequires-python = ">=4"\n')
    assert python_version(clone.folder).outcome == "failed"


def test_a_file_that_is_executable_only_here_is_listed(clone: Toy) -> None:
    """DVC writes the mode into the lock file; Git with `core.fileMode = false` does not see it."""
    clone.run("git", "config", "core.fileMode", "false")
    (clone.folder / "tool.sh").write_text("#!/bin/sh\n")
    clone.run("git", "add", "--chmod=+x", "tool.sh")
    (clone.folder / "tool.sh").chmod(0o755)
    assert file_modes(clone.folder).outcome == "passed"
    (clone.folder / "seed.txt").chmod(0o755)
    assert clone.run("git", "status", "--porcelain", "seed.txt").stdout == ""
    finding = file_modes(clone.folder)
    assert finding.outcome == "failed"
    assert finding.found == "1 files are executable here and not in Git: seed.txt"


def test_the_probe_is_compared_with_the_known_value(clone: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gogooku3.runtime.numerics.pin", lambda numerics: None)  # too late in this process
    monkeypatch.setattr("gogooku3.model.probe.known_value", lambda numerics: None)
    finding = probe(clone.folder)
    assert finding.outcome == "noted"
    assert f"Python {platform.python_version()}" in finding.found
    value = finding.found.split()[0]
    monkeypatch.setattr("gogooku3.model.probe.known_value", lambda numerics: value)
    assert probe(clone.folder).outcome == "passed"
    monkeypatch.setattr("gogooku3.model.probe.known_value", lambda numerics: "0" * 16)
    assert probe(clone.folder).outcome == "failed"


@pytest.mark.parametrize(("reported", "outcome"), [("2.30.0", "passed"), ("2.17.1", "failed"), ("3.0", "passed")])
def test_an_old_git_fails(
    clone: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reported: str, outcome: str
) -> None:
    program = tmp_path / "bin/git"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho git version {reported}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    assert git_version(clone.folder).outcome == outcome


def test_free_disk_space_is_compared_with_the_missing_outputs(clone: Toy) -> None:
    assert disk(clone.folder).found.startswith("cache: needs 0 bytes more")
    lock = clone.folder / "dvc.lock"
    size = (clone.folder / "models/package/model.bin").stat().st_size
    lock.write_text(lock.read_text().replace(f"size: {size}", f"size: {10**18}"))
    assert disk(clone.folder).outcome == "passed", "the file is already in the cache"
    clone.cached(clone.object_of("models/package/model.bin")).unlink()
    finding = disk(clone.folder)
    assert finding.outcome == "failed"
    assert "cache: needs 1.0 EB more" in finding.found
