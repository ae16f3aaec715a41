"""Check for secrets (credentials, tokens, API keys) in Git: every clone has them, even after their deletion."""

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
"""Settings of DVC's remotes that are secrets, or paths of secrets on one machine."""

_SECRET = re.compile(
    rb'-----BEGIN [A-Z ]*PRIVATE KEY-----|"refresh_token"\s*:\s*"'
    rb"""|^\s*api_key\s*=\s*["']""",  # J-Quants
    re.MULTILINE,
)
_MAX_BYTES = 1 << 20
"""Larger files are not searched."""


def secrets(root: Path) -> Finding:
    """Check: no file that Git tracks, including DVC's shared config, has credentials."""
    tracked = git.run(root, "ls-files", "-z").split("\0")[:-1]
    details = _in_config(root, tracked) if ".dvc/config" in tracked else []
    if ".dvc/config.local" in tracked:
        details.append({"file": ".dvc/config.local", "what": "the settings of one machine"})
    details += [{"file": path, "what": "a private key or token"} for path in tracked if _has_secret(root / path)]
    if not details:
        return Finding("passed", f"none in {len(tracked)} files")
    files = list(dict.fromkeys(str(entry["file"]) for entry in details if entry["file"] != ".dvc/config"))
    remedies = (
        ["`dvc remote modify --local` sets them outside Git"] if any("option" in entry for entry in details) else []
    )
    remedies += [f"`git rm --cached {shlex.join(files)}`"] if files else []
    message = ", ".join(f"{entry['what']} in `{entry['file']}`" for entry in details)
    return Finding("failed", message, f"{'; '.join(remedies)}; revoke every committed secret", tuple(details))


def _in_config(root: Path, tracked: list[str]) -> list[dict[str, str | None]]:
    remotes = Config(str(root / ".dvc")).load_one("repo").get("remote", {})
    details: list[dict[str, str | None]] = []
    for name, settings in remotes.items():
        options = sorted(OPTIONS & settings.keys())
        if settings.get("url", "") != without_password(settings.get("url", "")):
            options.append("url")
        details += [
            {"file": ".dvc/config", "what": f"`{option}` of the remote `{name}`", "option": option}
            for option in options
        ]
    return details


def _has_secret(file: Path) -> bool:
    if file.is_symlink() or not file.is_file() or file.stat().st_size > _MAX_BYTES:
        return False
    return _SECRET.search(file.read_bytes()) is not None
