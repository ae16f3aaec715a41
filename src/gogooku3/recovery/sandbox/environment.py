"""The libraries that a release was made with: whether they are installed here, and an environment that has them."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from gogooku3 import paths
from gogooku3.errors import DataError, MachineError


@dataclass(frozen=True)
class Library:
    """A locked library of which another version, or none (None), is installed."""

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
        """What a process needs to find this environment's programs and a project's own code before all others."""
        kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "VIRTUAL_ENV")}
        path = os.pathsep.join((str(self.python.parent), os.environ.get("PATH", os.defpath)))
        return kept | {"PATH": path, "PYTHONPATH": str(project / paths.SOURCE)}


HERE = Environment(Path(sys.executable))


def locked(project: Path) -> list[Requirement]:
    """The lines of a project's `requirements.lock` that apply to this Python; raises `DataError` when it has none."""
    file = project / paths.REQUIREMENTS
    try:
        lines = [line.partition("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines()]
        requirements = [Requirement(line) for line in lines if line]
    except FileNotFoundError:
        raise DataError(f"`{file}` is not there", hint="`make lock` writes it; commit it with the code") from None
    except InvalidRequirement as error:
        raise DataError(f"`{file}` is not a lock file: {error}", hint="`make lock` writes it anew") from None
    return [each for each in requirements if each.marker is None or each.marker.evaluate()]


def differing(project: Path) -> list[Library]:
    """The locked libraries of which this environment has not the locked version.

    A build of the locked version (`2.13.0+cpu` for `2.13.0`) is that version.
    """
    found = [(each, _installed(each.name)) for each in locked(project)]
    return [
        Library(each.name, str(each.specifier).removeprefix("=="), here)
        for each, here in found
        if here is None or not each.specifier.contains(here, prereleases=True)
    ]


def build(folder: Path, project: Path) -> Environment:
    """Makes a virtual environment with a project's locked libraries and the project itself.

    Raises:
        MachineError: the libraries cannot be had here.
    """
    torch = [str(each) for each in locked(project) if each.name == "torch"]
    _run([sys.executable, "-m", "venv", "--clear", str(folder)])
    environment = Environment(folder / "bin" / "python")
    # torch comes by itself first, as in the Makefile: an index that carries its CPU build is asked for nothing else.
    for wanted in (torch, ["--requirement", str(project / paths.REQUIREMENTS)]):
        if wanted:
            _pip(environment, *wanted)
    install(environment, project)
    return environment


def install(environment: Environment, project: Path) -> None:
    """Puts a project itself, without what it needs, in an environment; raises `MachineError` where that fails."""
    _pip(environment, "--no-deps", "--no-build-isolation", "--editable", str(project))


class Environments:
    """New environments under a folder, one for each lock file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._built: dict[str, Environment] = {}

    def of(self, project: Path) -> tuple[Environment, bool]:
        """The environment of a project's lock file with this project in it, and whether it was built just now."""
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
    done = subprocess.run(  # noqa: S603  (a list of arguments, no shell)
        command, env=variables, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    if done.returncode:
        said = re.findall(r"^ERROR: (.+)$", done.stderr, re.MULTILINE) or done.stderr.strip().splitlines()[-1:]
        raise MachineError(
            f"`{Path(command[0]).name} {' '.join(command[1:])}` fails: {' '.join(said)}",
            hint="check the network, the package index (`pip config list`) and this Python's version",
        )
