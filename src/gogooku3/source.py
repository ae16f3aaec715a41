"""The running source code: commands that run it in subprocesses, and checks that it is the clone's and unchanged.

An environment has one `gogooku3` installed, and each clone has its own under `src`, which DVC hashes.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

from gogooku3 import paths
from gogooku3.errors import MachineError, abbreviate

FOLDER = Path(__file__).resolve().parents[1]
"""The folder of the running source: `src` of a clone, or `site-packages` of an environment."""

_PACKAGE = "gogooku3"


def command(module: str) -> list[str]:
    """The command prefix that runs a module of this source in a subprocess."""
    return [sys.executable, str(FOLDER / _PACKAGE), module]


def clone_source(folder: Path) -> Path | None:
    """The source of the clone that contains a folder; None outside of a clone, or if the clone has no source."""
    for parent in (folder.absolute(), *folder.absolute().parents):
        if (parent / paths.SOURCE / _PACKAGE / "__init__.py").is_file():
            return parent / paths.SOURCE
        if (parent / ".git").exists():
            return None
    return None


def differing(other: Path) -> list[str]:
    """The files that differ between the running source and another one."""
    if other.resolve() == FOLDER:
        return []
    ours, theirs = _files(FOLDER), _files(other)
    return sorted(name for name in ours | theirs if not _same(FOLDER / name, other / name))


def require(folder: Path, module: str = "cli") -> None:
    """Refuses to work in a clone with a different source than its own; no code of the clone is run.

    Args:
        folder: a folder in the clone.
        module: the module to run, for the command in the hint.

    Raises:
        MachineError: the clone's own source differs from the running one.
    """
    own = clone_source(folder)
    if own is not None and (files := differing(own)):
        raise MachineError(
            f"the running source `{FOLDER}` differs from this clone's source `{own}` in {abbreviate(files, limit=3)}",
            hint=f"run this clone's source with `python {shlex.quote(str(own / _PACKAGE))} {module} …`,"
            f" or install it with `pip install --no-deps -e {shlex.quote(str(own.parent))}`",
        )


def require_same(folder: Path) -> None:
    """Raises `MachineError` in a subprocess that imported a different source than its parent process."""
    if folder != FOLDER:
        raise MachineError(
            f"a subprocess of the source `{folder}` imported the source `{FOLDER}`",
            hint="an import hook of this environment does that: use a separate environment",
        )


def digests() -> dict[str, str]:
    """The hash of every file of the running source."""
    return {name: _digest(FOLDER / name) for name in _files(FOLDER)}


def require_unchanged(before: Mapping[str, str]) -> None:
    """Refuses the results of a source that was edited during the run: DVC hashes the files at the end of a stage.

    It checks the modules that this process has loaded, and other files in their folders, such as templates.

    Args:
        before: the digests at the start of the run.

    Raises:
        MachineError: one of these files has other content now.
    """
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] == _PACKAGE]
    loaded = {Path(module.__file__).resolve() for module in modules if module.__file__ is not None}
    folders = {file.parent for file in loaded}

    def used(file: Path) -> bool:
        return file in loaded or (file.suffix != ".py" and file.parent in folders)

    changed = [
        name for name, digest in sorted(before.items()) if used(FOLDER / name) and _digest(FOLDER / name) != digest
    ]
    if changed:
        raise MachineError(
            f"the source was edited during the run: {abbreviate(changed, limit=3)}; DVC would record the new files with"
            " results of the old ones",
            hint="run it again (`dvc repro`)",
        )


def _digest(file: Path) -> str:
    """The hash of a file; empty if it does not exist."""
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""


def _files(source: Path) -> set[str]:
    """The paths of all files of a source, except hidden files and `__pycache__`."""
    files = set()
    for folder, folders, names in os.walk(source / _PACKAGE):
        folders[:] = [name for name in folders if name != "__pycache__" and not name.startswith(".")]
        relative = Path(folder).relative_to(source)
        files |= {str(relative / name) for name in names if not name.startswith(".")}
    return files


def _same(one: Path, two: Path) -> bool:
    """Whether two files have the same content; anything but a regular file, such as a device, is not read."""
    try:
        states = [one.stat(), two.stat()]
        comparable = states[0].st_size == states[1].st_size and all(stat.S_ISREG(state.st_mode) for state in states)
        return comparable and one.read_bytes() == two.read_bytes()
    except OSError:  # one of them does not exist, or is not readable
        return False
