"""Leftovers of killed processes: stale locks of Git and DVC, and partial files."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from gogooku3 import paths
from gogooku3.assembly.month_cache import MonthCache
from gogooku3.errors import abbreviate
from gogooku3.recovery.checks.verdict import Finding
from gogooku3.recovery.releases import git

_TMP = Path(".dvc/tmp")
_UNVISITED = frozenset({".git", ".venv", "cache"})
"""Folders that no stage writes to; not searched."""


@dataclass(frozen=True)
class Lock:
    """A lock file, and whether the process that took it still runs."""

    path: str
    age: str
    owner: str
    blocks: bool
    """Whether it is stale: no process will release it."""


def locks(root: Path) -> Finding:
    """Check: there is no stale lock."""
    existing = [*_git_locks(root), *_dvc_locks(root), *_path_locks(root)]
    if not existing:
        return Finding("passed", "none")
    details = tuple(asdict(lock) | {"blocks": "yes" if lock.blocks else "no"} for lock in existing)
    message = "; ".join(f"`{lock.path}`, {lock.age} old: {lock.owner}" for lock in existing)
    stale = list(dict.fromkeys(lock.path for lock in existing if lock.blocks))
    if stale:
        return Finding("failed", message, f"`rm {shlex.join(stale)}`", details)
    return Finding("noted", message, "", details)


def partials(root: Path) -> Finding:
    """Check: there are no partial files or folders of a killed run."""
    partial = sorted(_partials(root))
    if not partial:
        return Finding("passed", "none")
    return Finding(
        "noted",
        f"partial files of a run that was killed or still runs: {abbreviate(partial)}",
        "the next run of the stage resumes from them or removes them; to discard them when no stage runs:"
        f" `rm -r {shlex.join(partial)}`",
        tuple({"path": path} for path in partial),
    )


def _partials(root: Path) -> Iterator[str]:
    month_cache = MonthCache(root / paths.DATASET)
    if month_cache.folder.exists():  # the records of finished months, next to it, are not leftovers
        yield month_cache.folder.relative_to(root).as_posix()
    for folder, folders, files in os.walk(root):
        partials = (Path(folder) / name for name in [*folders, *files] if _is_partial(name))
        yield from (path.relative_to(root).as_posix() for path in partials if path != month_cache.root)
        folders[:] = [name for name in folders if name not in _UNVISITED and not _is_partial(name)]


def _is_partial(name: str) -> bool:
    return name.startswith(".") and name.endswith(".partial")


def _git_locks(root: Path) -> list[Lock]:
    """Lock files of Git. They do not name their owner: they are stale if no Git process runs in this clone."""
    folders = {root / git.run(root, "rev-parse", option).strip() for option in ("--git-dir", "--git-common-dir")}
    files = sorted({file for folder in folders for file in folder.rglob("*.lock") if file.is_file()})
    owner = _running(root, "git") if files else None
    return [
        Lock(_display_path(root, file), _age(file), owner or "no Git runs here; it was killed", owner is None)
        for file in files
    ]


def _dvc_locks(root: Path) -> list[Lock]:
    """DVC's repository lock.

    By default DVC takes a system lock (flock) on a permanent file; the system releases it when the process ends. With
    `core.hardlink_lock` the file's existence is the lock, and the file does not name its owner.
    """
    file = root / _TMP / "lock"
    if not file.is_file():
        return []
    content = file.read_text(encoding="utf-8", errors="replace").strip()
    if content.isdigit() or not content:
        lock = Lock(_display_path(root, file), _age(file), f"DVC is running (PID {content})", False)
        return [lock] if _is_locked(file) else []
    owner = _running(root, "dvc")
    return [Lock(_display_path(root, file), _age(file), owner or "no DVC runs here; it was killed", owner is None)]


def _path_locks(root: Path) -> list[Lock]:
    """DVC's list of the paths that its processes read and write (`rwlock`).

    DVC drops the entries of a process that has ended, unless the system has reused its PID or the list is truncated.
    """
    file = root / _TMP / "rwlock"
    if not file.is_file():
        return []
    try:
        tree = json.loads(file.read_text(encoding="utf-8"))
        readers = (info for infos in tree.get("read", {}).values() for info in infos)
        infos = [*tree.get("write", {}).values(), *readers]
        owners = {(int(info["pid"]), str(info["cmd"])) for info in infos}
    except (ValueError, KeyError, TypeError, AttributeError):
        return [Lock(_display_path(root, file), _age(file), "truncated: DVC was killed while writing it", True)]
    return [Lock(_display_path(root, file), _age(file), *_owner_state(file, *owner)) for owner in sorted(owners)]


def _owner_state(file: Path, pid: int, command: str) -> tuple[str, bool]:
    """Describes the process of an entry; True if the entry is stale."""
    try:
        started = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return f"PID {pid} (`{command}`) has ended; the next DVC command drops the entry", False
    if started > file.stat().st_mtime:
        return f"PID {pid} (`{command}`) has ended, and another process has its PID", True
    return f"PID {pid} (`{command}`) is running", False


def _is_locked(file: Path) -> bool:
    """Whether a process has the system lock on a file; tests with a shared lock that is released immediately."""
    with file.open() as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _running(root: Path, program: str) -> str | None:
    """The processes of a program whose working directory is in the working tree; None if there are none."""
    pids = []
    for process in psutil.process_iter(["pid", "name", "cmdline", "cwd"]):
        info = process.info
        words = {Path(word).stem for word in [info["name"] or "", *(info["cmdline"] or [])[:3]]}
        if program in words and info["cwd"] and Path(info["cwd"]).is_relative_to(root):
            pids.append(f"PID {info['pid']}")
    return f"{program} is running ({', '.join(pids)})" if pids else None


def _age(file: Path) -> str:
    seconds = max(0.0, time.time() - file.stat().st_mtime)
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _display_path(root: Path, file: Path) -> str:
    return str(file.relative_to(root) if file.is_relative_to(root) else file)
