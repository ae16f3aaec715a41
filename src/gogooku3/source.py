"""The source that runs: how another process runs the same, and whether it is the one of the clone around a folder.

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
"""The folder of the source that runs: `src` of a clone, or where an environment keeps what is installed."""

_PACKAGE = "gogooku3"


def command(module: str) -> list[str]:
    """What a command line begins with that runs a module of this source in a process of its own."""
    return [sys.executable, str(FOLDER / _PACKAGE), module]


def clone_source(folder: Path) -> Path | None:
    """The source of the clone that a folder lies in; None outside of a clone, and in one without a source."""
    for place in (folder.absolute(), *folder.absolute().parents):
        if (place / paths.SOURCE / _PACKAGE / "__init__.py").is_file():
            return place / paths.SOURCE
        if (place / ".git").exists():
            return None
    return None


def differing(other: Path) -> list[str]:
    """The files that the source that runs and another one do not have in common, byte for byte."""
    if other.resolve() == FOLDER:
        return []
    ours, theirs = _files(FOLDER), _files(other)
    return sorted(name for name in ours | theirs if not _same(FOLDER / name, other / name))


def require(folder: Path, module: str = "cli") -> None:
    """Refuses to work in a clone by another source than its own; nothing of the clone's is run.

    Args:
        folder: lies in the clone.
        module: what was to run, for the command that runs it by the clone's own source.

    Raises:
        MachineError: the clone's own source differs from the one that runs.
    """
    own = clone_source(folder)
    if own is not None and (files := differing(own)):
        raise MachineError(
            f"the source that runs is `{FOLDER}`, and the one of this clone is `{own}`: they differ in"
            f" {abbreviate(files, limit=3)}",
            hint=f"`python {shlex.quote(str(own / _PACKAGE))} {module} …` runs this clone's;"
            f" `pip install --no-deps -e {shlex.quote(str(own.parent))}` installs it",
        )


def require_same(folder: Path) -> None:
    """Raises `MachineError` in a process that found another source than the process runs that started it."""
    if folder != FOLDER:
        raise MachineError(
            f"a process was started by the source `{folder}` and runs `{FOLDER}`",
            hint="an import hook of this environment does that: use an environment of its own",
        )


def digests() -> dict[str, str]:
    """The hash of every file of the source that runs."""
    return {name: _digest(FOLDER / name) for name in _files(FOLDER)}


def require_unchanged(before: Mapping[str, str]) -> None:
    """Refuses what was made by a source that was edited meanwhile: DVC hashes the files when a stage has ended.

    The modules that this process has loaded count, and what lies beside them that is no module, such as a template.

    Args:
        before: the digests when it began.

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
            f"the source was edited while it ran: {abbreviate(changed, limit=3)}; DVC would record the new files beside"
            " what the old ones have made",
            hint="run it again (`dvc repro`)",
        )


def _digest(file: Path) -> str:
    """The hash of a file; none where it is not there."""
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""


def _files(source: Path) -> set[str]:
    """Every file of a source by its path, without what Python and editors leave beside them."""
    found = set()
    for folder, folders, names in os.walk(source / _PACKAGE):
        folders[:] = [name for name in folders if name != "__pycache__" and not name.startswith(".")]
        place = Path(folder).relative_to(source)
        found |= {str(place / name) for name in names if not name.startswith(".")}
    return found


def _same(one: Path, two: Path) -> bool:
    """Whether two files have the same content; what is no file, such as a device behind a link, is not read."""
    try:
        states = [one.stat(), two.stat()]
        alike = states[0].st_size == states[1].st_size and all(stat.S_ISREG(state.st_mode) for state in states)
        return alike and one.read_bytes() == two.read_bytes()
    except OSError:  # one of them is not there, or may not be read
        return False
