"""Checks of Git, Python, library versions and the installed source against the requirements of this clone."""

from __future__ import annotations

import os
import platform
import re
import shlex
import tomllib
from dataclasses import asdict
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from gogooku3 import paths, source
from gogooku3.errors import abbreviate
from gogooku3.recovery.checks.verdict import Finding
from gogooku3.recovery.releases import git
from gogooku3.recovery.sandbox.environment import differing, locked

OLDEST_GIT = Version("2.30")


def git_version(root: Path) -> Finding:
    """Check: Git is at least `OLDEST_GIT`."""
    output = git.run(root, "--version").strip()
    match = re.search(r"\d+(\.\d+)+", output)
    if match is None or Version(match.group()) < OLDEST_GIT:
        return Finding("failed", output, f"install Git {OLDEST_GIT} or newer")
    return Finding("passed", match.group())


def file_modes(root: Path) -> Finding:
    """Check: no file is executable here but not in Git.

    DVC writes `isexec` into `dvc.lock` for such a file, so the lock file would differ from another machine's. Git shows
    the difference, unless `core.fileMode` is false.
    """
    listed_files = (line.split(maxsplit=3) for line in git.run(root, "ls-files", "--stage", "-z").split("\0")[:-1])
    plain = [name for mode, _, _, name in listed_files if mode == "100644"]
    executable = [name for name in plain if (root / name).is_file() and os.access(root / name, os.X_OK)]
    if not executable:
        return Finding("passed", "file modes match Git")
    return Finding(
        "failed",
        f"{len(executable)} files are executable here and not in Git: {abbreviate(executable)}",
        "run `chmod a-x` on these files, on a file system that keeps file modes",
        tuple({"path": name} for name in executable),
    )


def python_version(root: Path) -> Finding:
    """Check: the Python version satisfies `pyproject.toml`."""
    wanted = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    current = platform.python_version()
    if SpecifierSet(wanted).contains(current, prereleases=True):
        return Finding("passed", f"{current} (required: {wanted})")
    return Finding(
        "failed", f"{current}, required: {wanted}", "`make clean`, then `make repro PYTHON=` with such a Python"
    )


def libraries(root: Path) -> Finding:
    """Check: every library that `requirements.lock` pins for this platform is installed in the pinned version."""
    pinned, differing_libraries = len(locked(root)), differing(root)
    if not differing_libraries:
        return Finding("passed", f"all {pinned} as `{paths.REQUIREMENTS}` pins them")
    return Finding(
        "failed",
        f"{len(differing_libraries)} of {pinned} differ: {abbreviate(differing_libraries)}",
        f"`pip install -r {paths.REQUIREMENTS}`",
        tuple(asdict(library) for library in differing_libraries),
    )


def own_source(root: Path) -> Finding:
    """Check: commands run this clone's source; `dvc repro` always does, whatever is installed."""
    own = source.clone_source(root)
    if own is None:
        return Finding("skipped", f"`{source.FOLDER}` runs, and this clone has no source")
    files = source.differing(own)
    if not files:
        same = own.resolve() == source.FOLDER
        return Finding("passed", f"`{source.FOLDER}` runs, {'' if same else 'identical to '}this clone's source")
    return Finding(
        "failed",
        f"`{source.FOLDER}` runs, and differs from this clone's source in {abbreviate(files)}",
        f"`pip install --no-deps -e {shlex.quote(str(root))}`",
        tuple({"path": name} for name in files),
    )
