"""What DVC removed before a stage ran, and the commands that bring it back: a stage that refuses its input prints them.

DVC removes the outputs of a stage before it runs it. What DVC holds comes back from its cache, what is committed from
Git. Of metrics and plots the cache has a copy too, which the run cache gives back beside the inputs of that run.
"""

from __future__ import annotations

import hashlib
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

import yaml

from gogooku3 import paths


def restore_commands(root: Path, command: Sequence[str]) -> str:
    """The lines that tell how the outputs of a stage's last run come back; empty where none is gone.

    Args:
        root: of the clone, with `dvc.lock`.
        command: of the stage, such as `train baseline`.
    """
    stage, gone = _gone(root, command)
    if not gone:
        return ""
    ignored = set(_git(root, "check-ignore", *gone).decode().splitlines())
    committed = [path for path in gone if _md5(_git(root, "show", f":{path}")) == gone[path]]
    cache = paths.dvc_cache()
    kept = {path for path in gone if cache is not None and paths.cached(cache, gone[path]).exists()} - set(committed)
    held, rest = sorted(kept & ignored), sorted(kept - ignored)
    if not committed and not kept:  # in a clone that has never had them
        return ""
    lines = [f"DVC removed what the last run of `{stage}` made. These commands bring it back:"]
    if held:
        lines.append(shlex.join(["dvc", "checkout", *held]))
    if committed:
        lines.append(shlex.join(["git", "restore", *committed]))
    if rest:
        lines.append(f"dvc repro {stage}  # once the change is undone: {', '.join(rest)}, of which Git has no copy")
    return "\n  ".join(lines)


def _gone(root: Path, command: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The stage of a command, and the MD5 of each of its recorded outputs that is not there."""
    lock = root / paths.LOCK
    stages = yaml.safe_load(lock.read_text(encoding="utf-8"))["stages"] if lock.is_file() else {}
    for stage, entry in stages.items():
        if shlex.split(entry["cmd"])[2:] == ["stages", *command]:
            outs = {out["path"]: out["md5"] for out in entry.get("outs", [])}
            return stage, {path: md5 for path, md5 in outs.items() if not (root / path).exists()}
    return "", {}


def _git(root: Path, *arguments: str) -> bytes:
    """What Git prints; nothing where it refuses, or is not there."""
    try:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False).stdout  # noqa: S603, S607
    except OSError:
        return b""


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
