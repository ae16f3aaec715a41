"""`make` creates a working virtual environment, or fails with a one-line error."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = ("Makefile", "pyproject.toml", "requirements.lock", "requirements-dev.lock")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="this machine has no make")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with the files that `make` reads."""
    folder = tmp_path / "a clone"
    folder.mkdir()
    for name in FILES:
        shutil.copy2(ROOT / name, folder)
    return folder


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def set_up(folder: Path) -> None:
    """An environment without libraries, as `make` creates it."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", ".venv"], cwd=folder, check=True)
    (folder / ".venv/.ready").touch()
    (folder / ".venv/.ready-dev").touch()


def planned(folder: Path) -> str:
    """The commands with which `make repro` would create the environment; empty if it uses the existing one."""
    found = re.search(r"^.* -m venv.*$", make(folder, "--dry-run", "repro").stdout, re.MULTILINE)
    return "" if found is None else found[0]


def test_an_environment_is_created_once_and_again_when_a_lock_file_changes(clone: Path) -> None:
    assert planned(clone).split() == ["python3", "-m", "venv", ".venv"]
    set_up(clone)
    assert planned(clone) == ""
    later = (clone / ".venv/.ready").stat().st_mtime + 1
    os.utime(clone / "requirements.lock", (later, later))
    assert planned(clone).split() == ["python3", "-m", "venv", ".venv"]


def test_an_environment_whose_folder_was_moved_is_recreated(clone: Path) -> None:
    set_up(clone)
    moved = clone.rename(clone.parent / "moved")
    assert planned(moved).split() == ["python3", "-m", "venv", "--clear", ".venv"]
    config = moved / ".venv/pyvenv.cfg"
    lines = config.read_text().splitlines(keepends=True)
    config.write_text("".join(line for line in lines if not line.startswith("command")))
    assert planned(moved) == ""  # another tool's


def test_an_environment_whose_python_is_missing_is_recreated(clone: Path) -> None:
    set_up(clone)
    (clone / ".venv/bin/python").unlink()
    (clone / ".venv/bin/python").symlink_to(clone / "gone")
    assert planned(clone).split() == ["python3", "-m", "venv", "--clear", ".venv"]


@pytest.mark.parametrize(
    ("script", "description"),
    [("echo Python 3.10.13; exit 1", "Python 3.10.13"), (None, "not one")],
    ids=["old", "absent"],
)
def test_an_old_python_fails_before_anything_is_created(clone: Path, script: str | None, description: str) -> None:
    python = clone.parent / "python"
    if script is not None:
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o755)
    done = make(clone, "repro", f"PYTHON={python}")
    assert done.returncode == 2
    error, hint, _ = done.stderr.splitlines()
    assert error == f"error: Python 3.11, 3.12 or 3.13 is needed, and `{python}` is {description}"
    assert hint == "hint: name one of them, as in `make repro PYTHON=python3.12`"
    assert not (clone / ".venv").exists()


def test_the_environment_comes_before_other_pythons_in_a_shell_that_was_not_activated(clone: Path) -> None:
    recipe = make(clone, "--dry-run", ".venv/.ready").stdout
    (line,) = re.findall(r"^echo '(import os.*?)' > ", recipe, re.MULTILINE)
    show = f"{line}\nprint(os.environ['PATH'])"
    folder = str(Path(sys.prefix, "bin"))
    for given, expected in {"/usr/bin": f"{folder}:/usr/bin", f"/a:{folder}:/b": f"/a:{folder}:/b"}.items():
        command = [sys.executable, "-c", show]
        done = subprocess.run(command, env={"PATH": given}, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == expected
