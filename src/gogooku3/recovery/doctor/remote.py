"""Checks of the default remote: whether it answers, its credentials, whether DVC verifies downloads by checksum."""

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

TIMEOUT = 9
"""Timeout of the remote in seconds, including connection and retries; without the start of the process that asks it."""

_NO_ANSWER = f"{{}} does not answer within {TIMEOUT} s"
_BUCKET_TYPE_LOOKUP = "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"
"""Environment variable: whether gcsfs looks up the bucket's type at Google's own service, over TLS. It hangs without a
message if that service is unreachable."""
_LOOKUP_REASON = "gcsfs looks up the bucket's type at Google before it uses `endpointurl`"
_LOGIN = "`gcloud auth application-default login`, or `dvc remote modify --local {name} credentialpath FILE`"
_OWN_BUCKET = "; or use a bucket of your own: `dvc remote modify --local {name} url gs://BUCKET/PATH`"
_NETWORK = "check the network, and the remote's `endpointurl` if it has one (`dvc remote list`, `dvc config --list`)"
_REASONS = (
    # Pattern of the clients' and servers' messages, meaning, remedy.
    (
        r"\b401\b|anonymous caller|invalid credentials|refresherror|unauthori[sz]ed",
        "it refuses these credentials (401)",
        _LOGIN + _OWN_BUCKET,
    ),
    (
        r"\b403\b|forbidden|permission denied|access denied",
        "these credentials may not read there (403)",
        "ask the bucket's owner for the role Storage Object User on it, or use other credentials: "
        + _LOGIN
        + _OWN_BUCKET,
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
    """Check: the default remote answers within `TIMEOUT` seconds and accepts the configured credentials."""
    remote = default_remote(root)
    if remote is None:
        return _NO_REMOTE
    if (file := _credential_file(remote)) is not None and not file.is_file():
        return Finding("skipped", "`credentials` failed: no credentials to connect with")
    variables = os.environ | ({} if "endpointurl" in remote.settings else {_BUCKET_TYPE_LOOKUP: "false"})
    command = [*source.command("recovery.doctor.probe"), str(root)]
    messages: dict[str, str] = {}
    for line in _output(command, variables).splitlines():
        messages |= json.loads(line)
    if "reached" in messages:
        return Finding("passed", f"{remote.url} answers")
    return _unreachable(remote, messages.get("refused") or messages.get("retry", ""))


def _output(command: list[str], variables: dict[str, str]) -> bytes:
    """What the probe prints after its first line until it ends, or until `TIMEOUT`, at which it is killed."""
    with subprocess.Popen(  # noqa: S603  (a list of arguments, no shell)
        command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
    ) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()  # a busy machine may need long to get there
            return process.communicate(timeout=TIMEOUT)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            return process.communicate()[0]


def credentials(root: Path) -> Finding:
    """Check: type and origin of the credentials that DVC uses for Google Cloud Storage; never their content."""
    remote = default_remote(root)
    if remote is None:
        return Finding("skipped", "`remote` failed: no remote needs credentials")
    if urlsplit(remote.url).scheme not in ("gs", "gcs"):
        return Finding("skipped", f"{remote.url} is not Google Cloud Storage")
    if remote.settings.get("allow_anonymous_login"):
        return Finding("passed", f"anonymous, set in `{set_by(root, remote.name, 'allow_anonymous_login')}`")
    if (file := _credential_file(remote)) is not None:
        return _by_file(file, f"set in `{set_by(root, remote.name, 'credentialpath')}`")
    if variable := os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
        return _by_file(Path(variable), "set in GOOGLE_APPLICATION_CREDENTIALS")
    settings = Path(os.environ.get("CLOUDSDK_CONFIG") or Path.home() / ".config/gcloud")
    if (file := settings / "application_default_credentials.json").is_file():
        return _by_file(file, "written by `gcloud auth application-default login`")
    return Finding(
        "noted",
        "none on this machine: only a Google Cloud VM has its own; on any other machine access is anonymous",
        _LOGIN.format(name=remote.name),
    )


def verification(root: Path) -> Finding:
    """Check: DVC verifies the checksum of each object that it pulls; otherwise it accepts a corrupted object."""
    remote = default_remote(root)
    if remote is None:
        return Finding("skipped", "`remote` failed: nothing is pulled")
    if remote.settings.get("verify"):
        return Finding("passed", f"`verify = true` for `{remote.name}`")
    return Finding(
        "failed",
        f"`verify` is not set for `{remote.name}`: DVC would accept a corrupted object",
        f"`dvc remote modify {remote.name} verify true`",
    )


def _credential_file(remote: Remote) -> Path | None:
    path = remote.settings.get("credentialpath")
    return None if path is None else Path(path)


def _by_file(file: Path, source: str) -> Finding:
    """Type of the credentials in a file."""
    hint = "set the path of an existing key file, or `gcloud auth application-default login`"
    try:
        kind = str(json.loads(file.read_text(encoding="utf-8"))["type"]).replace("_", " ")
    except OSError as error:
        return Finding("failed", f"`{file}`, {source}, cannot be read: {error.strerror}", hint)
    except (ValueError, KeyError, TypeError):
        return Finding("failed", f"`{file}`, {source}, has no Google credentials", hint)
    return Finding("passed", f"{kind}: `{file}`, {source}")


def _unreachable(remote: Remote, error: str) -> Finding:
    """Classifies the error message of the client or server; an empty one is a timeout."""
    error = " ".join(without_password(error).split())
    for pattern, meaning, remedy in _REASONS:
        if re.search(pattern, error, re.IGNORECASE):
            return Finding("failed", f"{remote.url}: {meaning} ({error})", remedy.format(name=remote.name))
    if not error and "endpointurl" in remote.settings and os.environ.get(_BUCKET_TYPE_LOOKUP) != "false":
        return Finding(
            "failed", _NO_ANSWER.format(remote.url), f"`export {_BUCKET_TYPE_LOOKUP}=false`: {_LOOKUP_REASON}"
        )
    return Finding("failed", error or _NO_ANSWER.format(remote.url), _NETWORK)
