"""A clone that passes all checks; the tests break one thing at a time."""

from __future__ import annotations

import shutil
from importlib.metadata import version
from pathlib import Path

import pytest

from ..conftest import Toy

ROOT = Path(__file__).parents[3]
SECRET = "hunter2"


@pytest.fixture
def clone(toy: Toy) -> Toy:
    """The toy repository with the files of a clone of the project; its lock file pins the installed versions."""
    shutil.copyfile(ROOT / "params.yaml", toy.folder / "params.yaml")
    (toy.folder / "pyproject.toml").write_text('[project]\nrequires-python = ">=3.11"\n')
    (toy.folder / "requirements.lock").write_text(f"dvc=={version('dvc')}\ntorch=={version('torch').split('+')[0]}\n")
    return toy


def remote(toy: Toy, **settings: str) -> None:
    """Replaces the settings of the default remote."""
    (toy.folder / ".dvc/config.local").unlink()
    toy.local("'remote \"store\"'", **settings)
