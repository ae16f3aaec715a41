"""The configuration of DVC's remotes, and which config file sets an option."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvc.config import Config

_ENDPOINTS = ("endpointurl", "oss_endpoint")
"""Options that send requests, with the user's credentials, to another host than the provider's."""

LEVELS = ("local", "repo", "global", "system")
"""DVC's configuration files, in order of precedence, highest first."""


@dataclass(frozen=True)
class Remote:
    """The default remote with its settings merged from all of DVC's configuration files."""

    name: str
    url: str
    settings: dict[str, Any]


def default_remote(root: Path) -> Remote | None:
    """The default remote of the repository in `root`; None if none is configured."""
    config = Config(str(root / ".dvc"))
    name = config["core"].get("remote")
    settings = config["remote"].get(name)
    return None if settings is None else Remote(name, without_password(settings["url"]), dict(settings))


def set_by(root: Path, remote: str, option: str) -> Path:
    """The configuration file that sets a remote's option."""
    config = Config(str(root / ".dvc"))
    setting = (level for level in LEVELS if option in config.load_one(level).get("remote", {}).get(remote, {}))
    file = Path(config.files[next(setting)])
    return file.relative_to(root) if file.is_relative_to(root) else file


def committed_endpoint(root: Path, remote: str) -> str | None:
    """The address that the committed configuration gives a remote, and that no configuration of the user confirms."""
    config = Config(str(root / ".dvc"))

    def endpoint(level: str) -> str | None:
        settings = config.load_one(level).get("remote", {}).get(remote, {})
        return next((str(settings[option]) for option in _ENDPOINTS if option in settings), None)

    committed = endpoint("repo")
    if endpoint("local") is not None or committed in (endpoint("global"), endpoint("system")):
        return None
    return committed


def without_password(text: str) -> str:
    """The text with `user:password@` removed from its URLs."""
    return re.sub(r"//[^/@\s]*@", "//", text)
