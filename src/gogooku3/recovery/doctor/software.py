"""Git, Python and the libraries, against what this clone asks for."""

from __future__ import annotations

import platform
import re
import tomllib
from dataclasses import asdict
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from gogooku3.errors import listed
from gogooku3.recovery.checks.verdict import Finding
from gogooku3.recovery.releases import git
from gogooku3.recovery.sandbox.environment import REQUIREMENTS, differing, locked

OLDEST_GIT = Version("2.30")


def git_version(root: Path) -> Finding:
    """Git is not older than the oldest that this code works with."""
    said = git.run(root, "--version").strip()
    match = re.search(r"\d+(\.\d+)+", said)
    if match is None or Version(match.group()) < OLDEST_GIT:
        return Finding("failed", said, f"install Git {OLDEST_GIT} or newer")
    return Finding("passed", match.group())


def python_version(root: Path) -> Finding:
    """Python is one of those that `pyproject.toml` allows."""
    wanted = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    here = platform.python_version()
    if SpecifierSet(wanted).contains(here, prereleases=True):
        return Finding("passed", f"{here} (wanted: {wanted})")
    return Finding("failed", f"{here}, wanted: {wanted}", "`make clean`, then `make repro PYTHON=` with such a Python")


def libraries(root: Path) -> Finding:
    """Every library that `requirements.lock` pins for this platform is installed in that version."""
    pinned, other = len(locked(root)), differing(root)
    if not other:
        return Finding("passed", f"all {pinned} as `{REQUIREMENTS}` pins them")
    return Finding(
        "failed",
        f"{len(other)} of {pinned} differ: {listed(other)}",
        f"`pip install -r {REQUIREMENTS}`",
        tuple(asdict(library) for library in other),
    )
