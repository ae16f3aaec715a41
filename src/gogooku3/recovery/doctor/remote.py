"""The default remote: whether it answers, with which credentials, and whether DVC checks what comes from there."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from gogooku3 import source
from gogooku3.recovery.checks.verdict import Finding
from gogooku3.recovery.storage.settings import Remote, default_remote, set_by, without_password

PATIENCE = 9
"""Seconds that the remote has to answer, everything included."""

_SILENT = f"{{}} gives no answer in {PATIENCE} s"
_KIND = "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"
"""Whether gcsfs asks Google's own service, over TLS, what kind of bucket it deals with: it hangs where that cannot be
reached, without a word."""
_KIND_ASKED = "gcsfs asks Google what kind of bucket it is before it asks `endpointurl`"
_LOGIN = "`gcloud auth application-default login`, or `dvc remote modify --local {name} credentialpath FILE`"
_OWN = "; or use a bucket of your own: `dvc remote modify --local {name} url gs://BUCKET/PATH`"
_NETWORK = "check the network, and the remote's `endpointurl` if it has one (`dvc remote list`, `dvc config --list`)"
_REASONS = (
    # What clients and servers say, what it means, what to do.
    (
        r"\b401\b|anonymous caller|invalid credentials|refresherror|unauthori[sz]ed",
        "it refuses these credentials (401)",
        _LOGIN + _OWN,
    ),
    (
        r"\b403\b|forbidden|permission denied|access denied",
        "these credentials may not read there (403)",
        "ask the bucket's owner for the role Storage Object User on it, or use other credentials: " + _LOGIN + _OWN,
    ),
    (
        r"does not exist|\b404\b|nosuchbucket",
        "it does not exist",
        "correct it (`dvc remote modify --local {name} url gs://BUCKET/PATH`), or create the bucket",
    ),
    (
        r"name or service|name resolution|nodename|getaddrinfo|dns server",
        "its host's name cannot be resolved: no network, or no DNS",
        _NETWORK,
    ),
    (r"cannot connect|connect call failed|refused|unreachable", "no connection to its host", _NETWORK),
)
_NO_REMOTE = Finding("failed", "no default remote is configured", "`dvc remote add -d store gs://BUCKET/PATH`")


def reachable(root: Path) -> Finding:
    """The default remote answers within `PATIENCE` seconds, to the credentials that it is asked with."""
    remote = default_remote(root)
    if remote is None:
        return _NO_REMOTE
    if (file := _credential_file(remote)) is not None and not file.is_file():
        return Finding("skipped", "`credentials` failed: there are none to ask it with")
    variables = os.environ | ({} if "endpointurl" in remote.settings else {_KIND: "false"})
    command = [*source.command("recovery.doctor.probe"), str(root)]
    try:
        said = subprocess.run(  # noqa: S603  (a list of arguments, no shell)
            command, env=variables, capture_output=True, timeout=PATIENCE, check=False
        ).stdout
    except subprocess.TimeoutExpired as late:
        said = late.stdout or b""
    answers: dict[str, str] = {}
    for line in said.splitlines():
        answers |= json.loads(line)
    if "reached" in answers:
        return Finding("passed", f"{remote.url} answers")
    return _unreached(remote, answers.get("refused") or answers.get("heard", ""))


def credentials(root: Path) -> Finding:
    """Which kind of credentials DVC asks Google's storage with; never what is in them."""
    remote = default_remote(root)
    if remote is None:
        return Finding("skipped", "`remote` failed: there is nothing to use them for")
    if urlsplit(remote.url).scheme not in ("gs", "gcs"):
        return Finding("skipped", f"{remote.url} is not Google's storage")
    if remote.settings.get("allow_anonymous_login"):
        return Finding("passed", f"anonymous, as `{set_by(root, remote.name, 'allow_anonymous_login')}` says")
    if (file := _credential_file(remote)) is not None:
        return _by_file(file, f"named in `{set_by(root, remote.name, 'credentialpath')}`")
    if named := os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
        return _by_file(Path(named), "named in GOOGLE_APPLICATION_CREDENTIALS")
    settings = Path(os.environ.get("CLOUDSDK_CONFIG") or Path.home() / ".config/gcloud")
    if (file := settings / "application_default_credentials.json").is_file():
        return _by_file(file, "which `gcloud auth application-default login` left")
    return Finding(
        "noted",
        "none on this machine: only a virtual machine of Google's has its own, any other asks anonymously",
        _LOGIN.format(name=remote.name),
    )


def verification(root: Path) -> Finding:
    """DVC hashes what it pulls; without that it takes an altered object of a bucket for a good one."""
    remote = default_remote(root)
    if remote is None:
        return Finding("skipped", "`remote` failed: nothing is pulled")
    if remote.settings.get("verify"):
        return Finding("passed", f"`verify = true` for `{remote.name}`")
    return Finding(
        "failed",
        f"`verify` is not set for `{remote.name}`: DVC would take an altered object for a good one",
        f"`dvc remote modify {remote.name} verify true`",
    )


def _credential_file(remote: Remote) -> Path | None:
    path = remote.settings.get("credentialpath")
    return None if path is None else Path(path)


def _by_file(file: Path, source: str) -> Finding:
    """What kind of credentials a file holds."""
    hint = "name a key file that is there, or `gcloud auth application-default login`"
    try:
        kind = str(json.loads(file.read_text(encoding="utf-8"))["type"]).replace("_", " ")
    except OSError as error:
        return Finding("failed", f"`{file}`, {source}, cannot be read: {error.strerror}", hint)
    except (ValueError, KeyError, TypeError):
        return Finding("failed", f"`{file}`, {source}, does not hold credentials of Google's", hint)
    return Finding("passed", f"{kind}: `{file}`, {source}")


def _unreached(remote: Remote, words: str) -> Finding:
    """The reason in what its clients said."""
    words = " ".join(without_password(words).split())
    for pattern, meaning, remedy in _REASONS:
        if re.search(pattern, words, re.IGNORECASE):
            return Finding("failed", f"{remote.url}: {meaning} ({words})", remedy.format(name=remote.name))
    if not words and "endpointurl" in remote.settings and os.environ.get(_KIND) != "false":
        return Finding("failed", _SILENT.format(remote.url), f"`export {_KIND}=false`: {_KIND_ASKED}")
    return Finding("failed", words or _SILENT.format(remote.url), _NETWORK)
