"""Check of DVC's site cache: DVC loads pickles from it, by default from a folder that all users can write to."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from dvc.config import Config
from dvc.dirs import site_cache_dir

from gogooku3.recovery.checks.verdict import Finding

_OWNERS = (0, os.geteuid())
_PRIVATE = '"$HOME/.cache/dvc-site"'
_REMEDY = f"`mkdir -p -m 700 {_PRIVATE} && dvc config --global core.site_cache_dir {_PRIVATE}`"


def site_cache(root: Path) -> Finding:
    """Check: no other user can write to the site cache (CVE-2025-69872: a program that writes there runs code as you).

    DVC makes its folders writable for everybody, so the cache is private only in a folder that others cannot enter.
    """
    folder = Path(site_cache_dir(Config(str(root / ".dvc"))["core"].get("site_cache_dir"))).absolute()
    existing = [each for each in (folder / "repo", folder, *folder.parents) if each.is_dir()]
    if any(_is_closed(each) for each in existing):
        return Finding("passed", f"`{folder}`: only you can enter it")
    own = [each for each in (folder / "repo", folder) if each.is_dir() and _is_own(each)]
    if len(own) == 2:
        return Finding("passed", f"`{folder}`: only you can write to it")
    state = "other users can write there" if folder.is_dir() else "DVC will let other users write there"
    remedy = _REMEDY
    if folder.is_dir() and folder.stat().st_uid == os.geteuid():
        remedy = f"`chmod 700 {shlex.quote(str(folder))}`, or one of your own: {remedy}"
    return Finding("noted", f"`{folder}`: {state}, and DVC loads pickles from it (CVE-2025-69872)", remedy)


def _is_closed(folder: Path) -> bool:
    """Whether only this user and root can enter a folder."""
    state = folder.stat()
    return state.st_uid in _OWNERS and not state.st_mode & 0o011


def _is_own(folder: Path) -> bool:
    """Whether only this user and root can write to a folder."""
    state = folder.stat()
    return state.st_uid in _OWNERS and not state.st_mode & 0o022
