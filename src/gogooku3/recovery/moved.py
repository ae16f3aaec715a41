"""A bucket that moved: an old tag's configuration names the former one, the default branch's the present one."""

from __future__ import annotations

import shlex
import tempfile
from pathlib import Path

from dvc.config import Config

from gogooku3.errors import StoreError
from gogooku3.recovery.releases import git
from gogooku3.recovery.storage.failures import ObjectError
from gogooku3.recovery.storage.settings import default_remote, without_password

_CONFIG = ".dvc/config"
_DEFAULT_BRANCH = "origin/HEAD"
_OPTIONS = ("url", "endpointurl")


def with_present_remote(root: Path, error: StoreError) -> StoreError:
    """The error of a clone's remote, with a hint that names other settings to use.

    The present remote is only named: its author may be another than the tag's, and would get the user's credentials.
    """
    remote = default_remote(root)
    if remote is None or isinstance(error, ObjectError):
        return error
    present = _present_remote(root)
    url = without_password(present.get("url", ""))
    if not url or url == remote.url:
        hint = "if the bucket has moved, name the present one in a file of DVC settings: `--settings FILE`"
        return StoreError(error.message, hint=f"{error.hint}; {hint}")
    lines = [f"""['remote "{remote.name}"']""", *(f"{name} = {without_password(present[name])}" for name in present)]
    return StoreError(
        f"{error.message}; the default branch names `{url}` as the remote",
        hint=f"if you trust that remote, use it: `printf '%s\\n' {shlex.join(lines)} > FILE`, and the same command"
        " again with `--settings FILE`",
    )


def _present_remote(root: Path) -> dict[str, str]:
    """The address of the default remote in the configuration that the default branch commits; empty if it names none.

    Values with control characters are left out, since they are printed.
    """
    try:
        committed = git.show(root, _DEFAULT_BRANCH, _CONFIG)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "config"
            file.write_text(committed or "", encoding="utf-8", errors="surrogateescape")
            config = Config._load_paths(Config.load_file(str(file)), str(root / _CONFIG))
        options = config["remote"][config["core"]["remote"]]
        found = {name: str(options[name]) for name in _OPTIONS if name in options}
    except Exception:  # anybody may have written it: Git, DVC's parser and its schema raise errors of several types
        return {}
    return {name: value for name, value in found.items() if value.isprintable()}
