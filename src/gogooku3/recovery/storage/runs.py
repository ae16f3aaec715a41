"""Reads DVC's run cache: the outputs that each run of a stage produced from its inputs.

DVC keeps a file `runs/KEY[:2]/KEY/VALUE` for each run. KEY is the hash of the command, of the dependencies and
parameters, and of the outputs' paths; VALUE is the hash of the same with the outputs' hashes.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dvc.schema import COMPILED_LOCK_FILE_STAGE_SCHEMA
from dvc.utils.serialize import load_yaml

from gogooku3.recovery.storage.lock import OBJECT
from gogooku3.recovery.storage.scan import Progress


@dataclass(frozen=True)
class Run:
    """One file of the run cache: when it was written, the command, and the hash of each output by path."""

    path: str
    written: str
    command: str
    outputs: dict[str, str]


@dataclass(frozen=True)
class DamagedRun:
    """A file or folder of the run cache that cannot be read or is not a valid record, and how to fix it."""

    path: str
    reason: str
    hint: str


def read_runs(folder: Path, progress: Progress) -> tuple[dict[str, list[Run]], list[DamagedRun]]:
    """Reads the run cache in `folder`: its runs by key, and its damaged records in the order of their paths.

    A folder that does not exist is an empty run cache.
    """
    damaged: list[DamagedRun] = []
    files = [*_files(folder, damaged)]
    runs: dict[str, list[Run]] = {}
    for done, file in enumerate(files, start=1):
        run = _read(file)
        if isinstance(run, DamagedRun):
            damaged.append(run)
        elif run is not None:
            runs.setdefault(file.parent.name, []).append(run)
        progress("reading runs", done, len(files))
    return runs, sorted(damaged, key=lambda each: each.path)


def _files(folder: Path, damaged: list[DamagedRun]) -> Iterator[Path]:
    """The paths at which DVC looks for runs; folders that cannot be listed are added to `damaged`."""

    def note(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            damaged.append(_unreadable(Path(error.filename), error))

    for parent, folders, files in os.walk(folder, onerror=note, followlinks=True):
        folders.sort()
        if len(Path(parent).relative_to(folder).parts) == 2:
            # DVC takes a folder at this depth for a file, and fails to read it.
            yield from (Path(parent) / name for name in sorted([*folders, *files]))
            folders.clear()


def _read(file: Path) -> Run | DamagedRun | None:
    """The run that a file records; None if the file was removed after it was listed."""
    try:
        written = datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat(timespec="microseconds")
        content = COMPILED_LOCK_FILE_STAGE_SCHEMA(load_yaml(str(file)))
    except FileNotFoundError:
        return None
    except OSError as error:
        return _unreadable(file, error)
    except Exception:  # the YAML parser raises errors of several types for damaged bytes
        return _damaged(file, "it is not an entry as in `dvc.lock`")
    outs = content.get("outs", [])
    if not outs or not all(re.fullmatch(OBJECT, str(out.get("md5"))) for out in outs):
        return _damaged(file, "it does not record the hash of every output")
    commands = [content["cmd"]] if isinstance(content["cmd"], str) else content["cmd"]
    return Run(str(file), written, " && ".join(map(str, commands)), {out["path"]: _restored(out) for out in outs})


def _restored(out: dict[str, Any]) -> str:
    """An output's hash, and whether DVC restores it as an executable file."""
    return f"{out['md5']} (executable)" if out.get("isexec") else str(out["md5"])


def _damaged(file: Path, reason: str) -> DamagedRun:
    return DamagedRun(str(file), reason, f"{_removal(file)}; DVC then runs the stage again when it needs it")


def _unreadable(path: Path, error: OSError) -> DamagedRun:
    hint = f"make it readable, or {_removal(path)}; DVC then runs the stages again when it needs them"
    return DamagedRun(str(path), f"it cannot be read: {error.strerror}", hint)


def _removal(path: Path) -> str:
    return f"remove it: `rm -r {shlex.quote(str(path))}`"
