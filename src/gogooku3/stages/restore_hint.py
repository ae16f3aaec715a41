"""Commands that restore the outputs which DVC removed before a failed stage.

DVC removes the outputs of a stage before it runs it. Outputs that DVC tracks come back from its cache, committed ones
from Git. Metrics and plots have a copy in the cache too, which the run cache restores if the inputs are as in that run.
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
    """Text with the commands that restore the outputs of a stage's last run; empty if none is missing.

    Args:
        root: folder of the clone, with `dvc.lock`.
        command: command of the stage, such as `train baseline`.
    """
    stage, missing = _missing_outputs(root, command)
    if not missing:
        return ""
    ignored = set(_git(root, "check-ignore", *missing).decode().splitlines())
    committed = [path for path in missing if _md5(_git(root, "show", f":{path}")) == missing[path]]
    cache = paths.dvc_cache()
    cached = {path for path in missing if cache is not None and paths.cached(cache, missing[path]).exists()}
    cached -= set(committed)
    tracked, untracked = sorted(cached & ignored), sorted(cached - ignored)
    if not committed and not cached:  # a clone that never had them
        return ""
    lines = [f"DVC removed the outputs of the last run of `{stage}`. These commands restore them:"]
    if tracked:
        lines.append(shlex.join(["dvc", "checkout", *tracked]))
    if committed:
        lines.append(shlex.join(["git", "restore", *committed]))
    if untracked:
        lines.append(f"dvc repro {stage}  # after undoing the change: {', '.join(untracked)}, not in Git")
    return "\n  ".join(lines)


def _missing_outputs(root: Path, command: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The stage of a command, and the MD5 of each of its recorded outputs that does not exist."""
    lock = root / paths.LOCK
    stages = yaml.safe_load(lock.read_text(encoding="utf-8"))["stages"] if lock.is_file() else {}
    for stage, entry in stages.items():
        if shlex.split(entry["cmd"])[2:] == ["stages", *command]:
            outs = {out["path"]: out["md5"] for out in entry.get("outs", [])}
            return stage, {path: md5 for path, md5 in outs.items() if not (root / path).exists()}
    return "", {}


def _git(root: Path, *arguments: str) -> bytes:
    """Git's output; empty if it fails or is not installed."""
    try:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False).stdout  # noqa: S603, S607
    except OSError:
        return b""


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
