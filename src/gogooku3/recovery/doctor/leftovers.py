"""What killed processes leave behind: locks of Git and DVC, and half-made files."""

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
"""Folders in which no stage writes."""


@dataclass(frozen=True)
class Lock:
    """A lock, and whether somebody is still behind it."""

    path: str
    age: str
    owner: str
    blocks: bool
    """Nobody will ever release it."""


def locks(root: Path) -> Finding:
    """No lock stands in the way whose owner has ended."""
    found = [*_of_git(root), *_of_dvc(root), *_of_paths(root)]
    if not found:
        return Finding("passed", "none")
    details = tuple(asdict(lock) | {"blocks": "yes" if lock.blocks else "no"} for lock in found)
    told = "; ".join(f"`{lock.path}`, {lock.age} old: {lock.owner}" for lock in found)
    dead = list(dict.fromkeys(lock.path for lock in found if lock.blocks))
    if dead:
        return Finding("failed", told, f"`rm {shlex.join(dead)}`", details)
    return Finding("noted", told, "", details)


def partials(root: Path) -> Finding:
    """Files and folders that a killed run did not finish."""
    found = sorted(_partials(root))
    if not found:
        return Finding("passed", "none")
    return Finding(
        "noted",
        f"left by a run that was killed, or is at work: {abbreviate(found)}",
        "the next run of the stage goes on from what is whole in them, or removes them; to forget them, when no run is"
        f" at work: `rm -r {shlex.join(found)}`",
        tuple({"path": path} for path in found),
    )


def _partials(root: Path) -> Iterator[str]:
    workshop = MonthCache(root / paths.DATASET)
    if workshop.folder.exists():  # what is beside it are records of the months that are done: they stay
        yield workshop.folder.relative_to(root).as_posix()
    for folder, folders, files in os.walk(root):
        partials = (Path(folder) / name for name in [*folders, *files] if _is_partial(name))
        yield from (path.relative_to(root).as_posix() for path in partials if path != workshop.root)
        folders[:] = [name for name in folders if name not in _UNVISITED and not _is_partial(name)]


def _is_partial(name: str) -> bool:
    return name.startswith(".") and name.endswith(".partial")


def _of_git(root: Path) -> list[Lock]:
    """A lock file of Git names no owner: it is held as long as a Git works in this clone."""
    folders = {root / git.run(root, "rev-parse", each).strip() for each in ("--git-dir", "--git-common-dir")}
    files = sorted({file for folder in folders for file in folder.rglob("*.lock") if file.is_file()})
    owner = _at_work(root, "git") if files else None
    return [
        Lock(_shown(root, file), _age(file), owner or "no Git is at work here; it was killed", owner is None)
        for file in files
    ]


def _of_dvc(root: Path) -> list[Lock]:
    """DVC locks its repository by a file that stays and that the system unlocks when its owner ends; only
    `core.hardlink_lock` makes one whose presence is the lock, and that names no owner that could be asked."""
    file = root / _TMP / "lock"
    if not file.is_file():
        return []
    content = file.read_text(encoding="utf-8", errors="replace").strip()
    if content.isdigit() or not content:
        return [Lock(_shown(root, file), _age(file), f"DVC is at work (PID {content})", False)] if _held(file) else []
    owner = _at_work(root, "dvc")
    return [Lock(_shown(root, file), _age(file), owner or "no DVC is at work here; it was killed", owner is None)]


def _of_paths(root: Path) -> list[Lock]:
    """DVC's list of the paths that its processes read and write: it drops those of a process that has ended, but not
    where another has got its number since, nor where the list itself was cut off."""
    file = root / _TMP / "rwlock"
    if not file.is_file():
        return []
    try:
        tree = json.loads(file.read_text(encoding="utf-8"))
        infos = [*tree.get("write", {}).values(), *(info for each in tree.get("read", {}).values() for info in each)]
        owners = {(int(info["pid"]), str(info["cmd"])) for info in infos}
    except (ValueError, KeyError, TypeError, AttributeError):
        return [Lock(_shown(root, file), _age(file), "not whole: DVC was killed while it wrote it", True)]
    return [Lock(_shown(root, file), _age(file), *_told(file, *owner)) for owner in sorted(owners)]


def _told(file: Path, pid: int, command: str) -> tuple[str, bool]:
    try:
        started = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return f"PID {pid} (`{command}`) has ended; the next DVC drops the entry", False
    if started > file.stat().st_mtime:
        return f"PID {pid} (`{command}`) has ended, and another process has its number", True
    return f"PID {pid} (`{command}`) is at work", False


def _held(file: Path) -> bool:
    """Whether a process holds the system's lock on a file; asked with a lock of our own that lets go at once."""
    with file.open() as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _at_work(root: Path, program: str) -> str | None:
    """The processes of a program whose current folder is in the working tree."""
    pids = []
    for process in psutil.process_iter(["pid", "name", "cmdline", "cwd"]):
        info = process.info
        words = {Path(word).stem for word in [info["name"] or "", *(info["cmdline"] or [])[:3]]}
        if program in words and info["cwd"] and Path(info["cwd"]).is_relative_to(root):
            pids.append(f"PID {info['pid']}")
    return f"{program} is at work ({', '.join(pids)})" if pids else None


def _age(file: Path) -> str:
    seconds = max(0.0, time.time() - file.stat().st_mtime)
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _shown(root: Path, file: Path) -> str:
    return str(file.relative_to(root) if file.is_relative_to(root) else file)
