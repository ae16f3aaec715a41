"""Fixture: a Git repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from gogooku3.recovery.releases import git


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """One commit with `notes/ein Ü.txt`."""
    git.run(tmp_path, "init", "--quiet", "--initial-branch=main")
    git.run(tmp_path, "config", "user.name", "Test")
    git.run(tmp_path, "config", "user.email", "test@example.com")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/ein Ü.txt").write_text("first\n", encoding="utf-8")
    git.run(tmp_path, "add", "--all")
    git.run(tmp_path, "commit", "--quiet", "--message", "First")
    return tmp_path
