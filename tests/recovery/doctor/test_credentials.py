"""Checks of credentials: the type in use, and no secrets in Git."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gogooku3.recovery.doctor.remote import credentials, reachable, verification
from gogooku3.recovery.doctor.secrets import secrets

from ..conftest import Toy
from .conftest import SECRET, remote


@pytest.fixture
def empty_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home folder without credentials."""
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def test_credentials_are_reported_by_type_and_never_shown(
    clone: Toy, empty_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = {"type": "service_account", "private_key": SECRET}
    files = {name: empty_home / f"{name}.json" for name in ("configured", "variable")}
    files["default"] = empty_home / ".config/gcloud/application_default_credentials.json"
    for file in files.values():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(key))
    found = []

    remote(clone, url="gs://bucket/store", allow_anonymous_login="true")
    found.append(credentials(clone.folder))
    assert found[-1].found == "anonymous, set in `.dvc/config.local`"
    remote(clone, url="gs://bucket/store", credentialpath=str(files["configured"]))
    found.append(credentials(clone.folder))
    assert found[-1].found == f"service account: `{files['configured']}`, set in `.dvc/config.local`"
    remote(clone, url="gs://bucket/store")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(files["variable"]))
    found.append(credentials(clone.folder))
    assert found[-1].found.endswith("set in GOOGLE_APPLICATION_CREDENTIALS")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    found.append(credentials(clone.folder))
    assert found[-1].found.endswith("written by `gcloud auth application-default login`")
    assert [finding.outcome for finding in found] == ["passed"] * 4
    files["default"].unlink()
    assert credentials(clone.folder).found.startswith("none on this machine")
    assert SECRET not in str(found)


@pytest.mark.parametrize("content", [None, "not a key", "[]"])
def test_a_file_without_credentials_fails_before_it_is_used(clone: Toy, empty_home: Path, content: str | None) -> None:
    """The client would treat a missing path as a token, and send it to the server."""
    file = empty_home / "key.json"
    if content is not None:
        file.write_text(content)
    remote(clone, url="gs://bucket/store", credentialpath=str(file))
    assert credentials(clone.folder).outcome == "failed"
    if content is None:
        assert reachable(clone.folder).outcome == "skipped"


def test_verification_must_be_enabled(clone: Toy) -> None:
    assert verification(clone.folder).outcome == "passed"
    clone.run("dvc", "remote", "modify", "store", "verify", "false")
    finding = verification(clone.folder)
    assert finding.outcome == "failed"
    clone.run("bash", "-c", finding.hint.strip("`"))
    assert verification(clone.folder).outcome == "passed"


def test_credentials_in_git_are_found(clone: Toy) -> None:
    clone.commit("all")
    assert secrets(clone.folder).outcome == "passed"
    clone.run("dvc", "remote", "modify", "store", "credentialpath", "key.json")
    clone.run("dvc", "remote", "add", "web", f"https://user:{SECRET}@example.com/store")
    (clone.folder / "notes").mkdir()
    (clone.folder / "notes/key.txt").write_text(f'{{"private_key": "-----BEGIN {"PRIVATE KEY"}-----{SECRET}"}}')
    found = secrets(clone.folder).found
    assert "key.txt" not in found, "it is not tracked yet"
    clone.commit("a mistake")
    finding = secrets(clone.folder)
    assert finding.outcome == "failed"
    assert "`credentialpath` of the remote `store` in `.dvc/config`" in finding.found
    assert "`url` of the remote `web` in `.dvc/config`" in finding.found
    assert "a private key or token in `notes/key.txt`" in finding.found
    assert "git rm --cached notes/key.txt" in finding.hint
    assert SECRET not in str(finding)


def test_the_key_of_j_quants_in_git_is_found(clone: Toy) -> None:
    (clone.folder / "jquants-api.toml").write_text(f'[jquants-api-client]\napi_key = "{SECRET}"\n')
    clone.commit("a mistake")
    finding = secrets(clone.folder)
    assert "a private key or token in `jquants-api.toml`" in finding.found
    assert SECRET not in str(finding)


def test_a_tracked_local_configuration_is_found(clone: Toy) -> None:
    clone.run("git", "add", "--force", ".dvc/config.local")
    assert "the settings of one machine in `.dvc/config.local`" in secrets(clone.folder).found
