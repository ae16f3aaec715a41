"""Git, Python, the libraries and the source that runs, against what this clone asks for."""

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
    """Git is not older than the oldest that this code works with."""
    said = git.run(root, "--version").strip()
    match = re.search(r"\d+(\.\d+)+", said)
    if match is None or Version(match.group()) < OLDEST_GIT:
        return Finding("failed", said, f"install Git {OLDEST_GIT} or newer")
    return Finding("passed", match.group())


def file_modes(root: Path) -> Finding:
    """No file is executable here that Git does not record as executable.

    DVC writes `isexec` into `dvc.lock` for such a file, so that the lock file differs from that of another machine. Git
    shows the difference, but not where `core.fileMode` is false.
    """
    listed_files = (line.split(maxsplit=3) for line in git.run(root, "ls-files", "--stage", "-z").split("\0")[:-1])
    plain = [name for mode, _, _, name in listed_files if mode == "100644"]
    executable = [name for name in plain if (root / name).is_file() and os.access(root / name, os.X_OK)]
    if not executable:
        return Finding("passed", "executable where Git says so, and nowhere else")
    return Finding(
        "failed",
        f"{len(executable)} files are executable here and not in Git: {abbreviate(executable)}",
        "`chmod a-x` takes it from those files alone, on a file system that keeps file modes",
        tuple({"path": name} for name in executable),
    )


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
        return Finding("passed", f"all {pinned} as `{paths.REQUIREMENTS}` pins them")
    return Finding(
        "failed",
        f"{len(other)} of {pinned} differ: {abbreviate(other)}",
        f"`pip install -r {paths.REQUIREMENTS}`",
        tuple(asdict(library) for library in other),
    )


def own_source(root: Path) -> Finding:
    """The source by which verbs run is this clone's: `dvc repro` runs the clone's whatever is installed."""
    own = source.clone_source(root)
    if own is None:
        return Finding("skipped", f"`{source.FOLDER}` runs, and this clone has no source of its own")
    files = source.differing(own)
    if not files:
        same = own.resolve() == source.FOLDER
        return Finding("passed", f"`{source.FOLDER}` runs, {'which is' if same else 'with the files of'} this clone's")
    return Finding(
        "failed",
        f"`{source.FOLDER}` runs, and differs from this clone's in {abbreviate(files)}",
        f"`pip install --no-deps -e {shlex.quote(str(root))}`",
        tuple({"path": name} for name in files),
    )
