"""Credentials in Git: whoever has a clone has them, and deleting them does not take them back."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from dvc.config import Config

from gogooku3.recovery.checks.verdict import Finding
from gogooku3.recovery.releases import git
from gogooku3.recovery.storage.settings import without_password

OPTIONS = frozenset(
    {
        "access_key_id",
        "account_key",
        "client_secret",
        "connection_string",
        "credentialpath",
        "gdrive_client_secret",
        "gdrive_user_credentials_file",
        "keyfile",
        "oss_key_id",
        "oss_key_secret",
        "passphrase",
        "password",
        "sas_token",
        "secret_access_key",
        "session_token",
        "sse_customer_key",
        "token",
    }
)
"""Settings of DVC's remotes that are secrets, or that belong to one machine and lead to one."""

_KEY = re.compile(
    rb'-----BEGIN [A-Z ]*PRIVATE KEY-----|"refresh_token"\s*:\s*"'
    rb"""|^\s*api_key\s*=\s*["']""",  # J-Quants
    re.MULTILINE,
)
_LARGEST = 1 << 20
"""Bytes of a file in which a key is looked for."""


def secrets(root: Path) -> Finding:
    """Neither DVC's shared configuration nor any other file that Git tracks holds credentials."""
    tracked = git.run(root, "ls-files", "-z").split("\0")[:-1]
    details = _in_configuration(root, tracked) if ".dvc/config" in tracked else []
    if ".dvc/config.local" in tracked:
        details.append({"file": ".dvc/config.local", "what": "the settings of one machine"})
    details += [{"file": path, "what": "a private key or token"} for path in tracked if _holds_key(root / path)]
    if not details:
        return Finding("passed", f"none in {len(tracked)} files")
    files = list(dict.fromkeys(str(one["file"]) for one in details if one["file"] != ".dvc/config"))
    remedies = ["`dvc remote modify --local` sets them outside Git"] if any("option" in one for one in details) else []
    remedies += [f"`git rm --cached {shlex.join(files)}`"] if files else []
    told = ", ".join(f"{one['what']} in `{one['file']}`" for one in details)
    return Finding("failed", told, f"{'; '.join(remedies)}; revoke what was ever committed", tuple(details))


def _in_configuration(root: Path, tracked: list[str]) -> list[dict[str, str | None]]:
    remotes = Config(str(root / ".dvc")).load_one("repo").get("remote", {})
    found: list[dict[str, str | None]] = []
    for name, settings in remotes.items():
        options = sorted(OPTIONS & settings.keys())
        if settings.get("url", "") != without_password(settings.get("url", "")):
            options.append("url")
        found += [
            {"file": ".dvc/config", "what": f"`{option}` of the remote `{name}`", "option": option}
            for option in options
        ]
    return found


def _holds_key(file: Path) -> bool:
    if file.is_symlink() or not file.is_file() or file.stat().st_size > _LARGEST:
        return False
    return _KEY.search(file.read_bytes()) is not None
