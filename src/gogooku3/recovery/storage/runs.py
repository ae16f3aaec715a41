"""Reads DVC's run cache: what each run of a stage made of its inputs.

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
    """A file or folder of the run cache that cannot be read or records no run, and what to do about it."""

    path: str
    reason: str
    hint: str


def read_runs(folder: Path, progress: Progress) -> tuple[dict[str, list[Run]], list[DamagedRun]]:
    """The runs that the run cache in `folder` records, by key, and what is damaged there, by path.

    A folder that does not exist has recorded no runs.
    """
    damaged: list[DamagedRun] = []
    files = [*_files(folder, damaged)]
    runs: dict[str, list[Run]] = {}
    for done, file in enumerate(files, start=1):
        read = _read(file)
        if isinstance(read, DamagedRun):
            damaged.append(read)
        elif read is not None:
            runs.setdefault(file.parent.name, []).append(read)
        progress("reading runs", done, len(files))
    return runs, sorted(damaged, key=lambda each: each.path)


def _files(folder: Path, damaged: list[DamagedRun]) -> Iterator[Path]:
    """What stands where DVC looks for runs; what cannot be listed on the way is added to `damaged`."""

    def note(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            damaged.append(_unreadable(Path(error.filename), error))

    for here, folders, files in os.walk(folder, onerror=note, followlinks=True):
        folders.sort()
        if len(Path(here).relative_to(folder).parts) == 2:
            # DVC takes a folder for a file here, and fails to read it.
            yield from (Path(here) / name for name in sorted([*folders, *files]))
            folders.clear()


def _read(file: Path) -> Run | DamagedRun | None:
    """The run that a file records; None where the file is gone since it was listed."""
    try:
        written = datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat(timespec="microseconds")
        content = COMPILED_LOCK_FILE_STAGE_SCHEMA(load_yaml(str(file)))
    except FileNotFoundError:
        return None
    except OSError as error:
        return _unreadable(file, error)
    except Exception:  # the YAML parser meets damaged bytes with errors of several families
        return _damaged(file, "it is not an entry as in `dvc.lock`")
    outs = content.get("outs", [])
    if not outs or not all(re.fullmatch(OBJECT, str(out.get("md5"))) for out in outs):
        return _damaged(file, "it does not hold the hash of every output")
    commands = [content["cmd"]] if isinstance(content["cmd"], str) else content["cmd"]
    return Run(str(file), written, " && ".join(map(str, commands)), {out["path"]: _restored(out) for out in outs})


def _restored(out: dict[str, Any]) -> str:
    """What DVC restores of an output: its bytes, and whether it is executable. The size follows from the bytes."""
    return f"{out['md5']} (executable)" if out.get("isexec") else str(out["md5"])


def _damaged(file: Path, reason: str) -> DamagedRun:
    return DamagedRun(str(file), reason, f"{_removal(file)}; DVC then runs the stage again where it needs it")


def _unreadable(path: Path, error: OSError) -> DamagedRun:
    hint = f"make it readable, or {_removal(path)}; DVC then runs the stages again where it needs them"
    return DamagedRun(str(path), f"it cannot be read: {error.strerror}", hint)


def _removal(path: Path) -> str:
    return f"remove it: `rm -r {shlex.quote(str(path))}`"
