"""Compares the installed libraries with a release's lock file, and builds virtual environments from it."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from gogooku3 import paths
from gogooku3.errors import DataError, MachineError
from gogooku3.runtime import interruption


@dataclass(frozen=True)
class Library:
    """A locked library with another installed version; None if it is not installed."""

    name: str
    locked: str
    installed: str | None

    def __str__(self) -> str:
        return f"{self.name} {self.locked} ({self.installed or 'not installed'} here)"


@dataclass(frozen=True)
class Environment:
    """An interpreter with its libraries."""

    python: Path

    def variables(self, project: Path) -> dict[str, str]:
        """Environment variables that put this environment's programs and the project's source first."""
        base = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "VIRTUAL_ENV")}
        path = os.pathsep.join((str(self.python.parent), os.environ.get("PATH", os.defpath)))
        return base | {"PATH": path, "PYTHONPATH": str(project / paths.SOURCE)}


CURRENT = Environment(Path(sys.executable))


def locked(project: Path) -> list[Requirement]:
    """The requirements of a project's `requirements.lock` for this Python; raises `DataError` if it has none."""
    file = project / paths.REQUIREMENTS
    try:
        lines = [line.partition("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines()]
        requirements = [Requirement(line) for line in lines if line]
    except FileNotFoundError:
        raise DataError(f"`{file}` does not exist", hint="write it with `make lock`, and commit it") from None
    except InvalidRequirement as error:
        raise DataError(f"`{file}` is not a lock file: {error}", hint="write it again with `make lock`") from None
    return [each for each in requirements if each.marker is None or each.marker.evaluate()]


def differing(project: Path) -> list[Library]:
    """The locked libraries with another version, or none, in this environment.

    A build of the locked version (`2.13.0+cpu` for `2.13.0`) counts as that version.
    """
    pairs = [(each, _installed(each.name)) for each in locked(project)]
    return [
        Library(each.name, str(each.specifier).removeprefix("=="), installed)
        for each, installed in pairs
        if installed is None or not each.specifier.contains(installed, prereleases=True)
    ]


def build(folder: Path, project: Path) -> Environment:
    """Builds a virtual environment with a project's locked libraries and the project itself.

    Raises:
        MachineError: the libraries cannot be installed here.
    """
    torch = [str(each) for each in locked(project) if each.name == "torch"]
    _run([sys.executable, "-m", "venv", "--clear", str(folder)])
    environment = Environment(folder / "bin" / "python")
    # torch is installed alone first, as in the Makefile: its CPU build's index is used for nothing else.
    for arguments in (torch, ["--requirement", str(project / paths.REQUIREMENTS)]):
        if arguments:
            _pip(environment, *arguments)
    install(environment, project)
    return environment


def install(environment: Environment, project: Path) -> None:
    """Installs a project, without its dependencies, into an environment; raises `MachineError` if that fails."""
    _pip(environment, "--no-deps", "--no-build-isolation", "--editable", str(project))


class Environments:
    """New environments under a folder, one per lock file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._built: dict[str, Environment] = {}

    def get(self, project: Path) -> tuple[Environment, bool]:
        """The environment for a project's lock file, with the project installed, and whether it was newly built."""
        key = hashlib.sha256((project / paths.REQUIREMENTS).read_bytes()).hexdigest()
        if key in self._built:
            install(self._built[key], project)
            return self._built[key], False
        self._built[key] = build(self._folder / key[:12], project)
        return self._built[key], True


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _pip(environment: Environment, *arguments: str) -> None:
    options = ["--quiet", "--no-input", "--disable-pip-version-check"]
    _run([str(environment.python), "-P", "-m", "pip", "install", *options, *arguments])


def _run(command: list[str]) -> None:
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "PYTHONPATH")}
    # `venv` and pip leave temporary files if they are stopped.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        done = interruption.run(
            command,
            session=True,
            env=variables | {"TMPDIR": folder},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
    if done.returncode:
        reason = re.findall(r"^ERROR: (.+)$", done.stderr, re.MULTILINE) or done.stderr.strip().splitlines()[-1:]
        raise MachineError(
            f"`{Path(command[0]).name} {' '.join(command[1:])}` fails: {' '.join(reason)}",
            hint="check the network, the package index (`pip config list`) and this Python's version",
        )
