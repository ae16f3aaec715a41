"""Signed releases: `promote --sign`, and the verbs with `--trusted-keys`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gogooku3.errors import GitError, MismatchError
from gogooku3.recovery.checks.package_files import PackageFiles
from gogooku3.recovery.checks.signature import signature as check_signature
from gogooku3.recovery.promote import promote
from gogooku3.recovery.releases import git, tag_objects, tags
from gogooku3.recovery.releases.new_tags import finish_stage_tags
from gogooku3.recovery.releases.signatures import check_release


@dataclass(frozen=True)
class Team:
    """A lab whose user signs with an SSH key, and two lists of trusted keys: with that key, and with another."""

    lab: Any
    trusted: Path
    others: Path

    def run(self, *command: str, cwd: Path | None = None) -> Any:
        return self.lab.run("gogooku3", *command, cwd=cwd, check=False)

    def recover(self, name: str, to: Path, keys: Path | None = None) -> Any:
        settings = self.lab.folder.parent / "settings"
        settings.write_text(f"['remote \"store\"']\n    url = {self.lab.bucket}\n")
        trusted = ("--trusted-keys", str(keys)) if keys else ()
        source = ("--from", str(self.lab.folder), "--settings", str(settings))
        return self.run("recover", name, "--to", str(to), *source, *trusted, "--json", cwd=to.parent)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the keys `signer` and `other` and, for each, a list that trusts it."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("signer", "other"):
        key = folder / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        key.with_suffix(".trusted").write_text(f"{name}@example.com {key.with_suffix('.pub').read_text()}")
    return folder


@pytest.fixture(scope="module")
def source(trained: Any, keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A release that was made with `promote --sign`."""
    lab = trained.copy(tmp_path_factory.mktemp("signed"))
    lab.run("git", "config", "gpg.format", "ssh")
    lab.run("git", "config", "user.signingKey", str(keys / "signer"))
    lab.run("gogooku3", "promote", "tier1", "--sign")
    return lab


@pytest.fixture
def team(source: Any, keys: Path, tmp_path: Path) -> Team:
    return Team(source.copy(tmp_path), keys / "signer.trusted", keys / "other.trusted")


def signature(verdict: Any) -> tuple[str, str]:
    return next((check["outcome"], check["found"]) for check in verdict["checks"] if check["name"] == "signature")


def test_both_tags_of_a_signed_release_are_signed_by_the_user(team: Team) -> None:
    folder = team.lab.folder
    release = tags.find(folder, "tier1")
    assert check_release(folder, release, team.trusted, as_best=True).trusted
    assert team.lab.tags() == {"tier1@v1.0.0", "tier1#best#1"}


@pytest.mark.slow
def test_git_s_own_setting_signs_without_the_option(team: Team) -> None:
    team.lab.run("git", "config", "tag.gpgSign", "true")
    team.lab.train(2, 0.08)
    promote(team.lab.folder, "tier1")
    release = tags.find(team.lab.folder, "tier1")
    assert release.tag.name == "tier1@v1.1.0"
    assert check_release(team.lab.folder, release, team.trusted, as_best=True).trusted


def test_a_release_that_cannot_be_signed_makes_no_tag_and_pushes_nothing(team: Team) -> None:
    team.lab.run("git", "config", "user.signingKey", "/no/such/key")
    team.lab.train(2, 0.08)
    before = team.lab.tags(), sorted(team.lab.bucket.rglob("*"))
    with pytest.raises(GitError, match=r"`tier1@v1.1.0` cannot be signed"):
        promote(team.lab.folder, "tier1", sign=True)
    assert (team.lab.tags(), sorted(team.lab.bucket.rglob("*"))) == before


def test_no_key_signs_what_a_fetched_tag_asks_for(team: Team) -> None:
    """One who can write tags names another tag in the record of a version, with text that looks like a signature."""
    folder = team.lab.folder
    text = tags.find(folder, "tier1").tag.message
    for number, stage_tag in enumerate(("tier1@v7.0.0", "tier1@v8.0.0", "tier2#best#1", "tier1#best!#9", "v1"), 1):
        version = f"v1.{number}.0"
        message = text.replace('"version": "v1.0.0"', f'"version": "{version}"').replace("tier1#best#1", stage_tag)
        signature = "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n" if number == 1 else ""
        content = tag_objects.new_object(folder, f"tier1@{version}", git.commit_of(folder, "HEAD"), message + signature)
        tag_objects.create_tags(folder, {f"tier1@{version}": content})
    before = team.lab.tags()
    assert finish_stage_tags(folder, "tier1") == []
    assert team.lab.tags() == before


def test_the_stage_tag_of_a_signed_release_is_not_made_again(team: Team) -> None:
    team.lab.run("git", "tag", "--delete", "tier1#best#1")
    assert finish_stage_tags(team.lab.folder, "tier1") == []
    assert team.lab.tags() == {"tier1@v1.0.0"}


@pytest.mark.parametrize("name", ["tier1", pytest.param("tier1@v1.0.0", marks=pytest.mark.slow)])
def test_a_release_of_a_trusted_signer_is_recovered(team: Team, tmp_path: Path, name: str) -> None:
    done = team.recover(name, tmp_path / "back", team.trusted)
    assert done.returncode == 0, done.stderr
    outcome, found = signature(json.loads(done.stdout)["verdict"])
    assert outcome == "passed"
    assert found.startswith("`tier1@v1.0.0` is signed by signer@example.com, ED25519 key SHA256:")


@pytest.mark.slow
def test_without_a_list_the_verdict_says_that_the_signature_was_not_checked(team: Team, tmp_path: Path) -> None:
    done = team.recover("tier1", tmp_path / "back")
    assert done.returncode == 0
    outcome, found = signature(json.loads(done.stdout)["verdict"])
    assert (outcome, "is signed, not checked" in found) == ("noted", True)


@pytest.mark.parametrize("name", ["tier1", pytest.param("tier1@v1.0.0", marks=pytest.mark.slow)])
@pytest.mark.parametrize("made", ["unsigned", "another key", pytest.param("stage only", marks=pytest.mark.slow)])
def test_a_release_that_no_trusted_key_signed_is_refused_before_it_is_checked_out(
    team: Team, keys: Path, tmp_path: Path, made: str, name: str
) -> None:
    """One who can write to the Git server replaces tags."""
    lab = team.lab
    if made == "another key":
        listed = team.others
    else:
        listed = team.trusted
        text = lab.run("git", "for-each-ref", "--format=%(contents:subject)", "refs/tags/tier1@v1.0.0").stdout
        replaced = "tier1#best#1" if made == "stage only" else "tier1@v1.0.0"
        lab.run("git", "tag", "--force", "--annotate", "--no-sign", "--message", text, replaced)
    done = team.recover(name, tmp_path / "back", listed)
    if made == "stage only" and name == "tier1@v1.0.0":
        assert done.returncode == 0
        return
    assert (done.returncode, done.stdout) == (5, ""), done.stderr
    assert "trusted key" in done.stderr or "no key in" in done.stderr
    assert not (tmp_path / "back").exists()


@pytest.mark.slow
def test_an_existing_clone_is_checked_too(team: Team, tmp_path: Path) -> None:
    assert team.recover("tier1", tmp_path / "back").returncode == 0
    done = team.recover("tier1", tmp_path / "back", team.others)
    assert (done.returncode, "no key in" in done.stderr) == (5, True)


@pytest.mark.slow
def test_a_list_of_bare_keys_is_refused_by_every_verb(team: Team, keys: Path, tmp_path: Path) -> None:
    bare = ("--trusted-keys", str(keys / "signer.pub"))
    lab = team.lab
    for command in (
        ("recover", "tier1", "--from", str(lab.folder), "--to", str(tmp_path / "back")),
        ("verify",),
        ("drill", "--report", str(tmp_path / "report")),
        ("reproduce", "tier1"),
    ):
        done = team.run(*command, *bare)
        assert (done.returncode, "has no signer before a key" in done.stderr) == (2, True), command
    assert not (tmp_path / "back").exists()


@pytest.mark.slow
def test_an_archive_keeps_the_signatures(team: Team, tmp_path: Path) -> None:
    file = tmp_path / "tier1.tar"
    assert team.run("archive", "create", "tier1", "--output", str(file)).returncode == 0
    restore = ("archive", "restore", str(file), "--json", "--trusted-keys")
    done = team.run(*restore, str(team.others), "--to", str(tmp_path / "other"))
    assert (done.returncode, "no key in" in done.stderr) == (5, True)
    assert not (tmp_path / "other").exists()
    done = team.run(*restore, str(team.trusted), "--to", str(tmp_path / "back"))
    assert done.returncode == 0, done.stderr
    assert signature(json.loads(done.stdout)["verdict"])[0] == "passed"
    release = tags.find(tmp_path / "back", "tier1")
    assert check_release(tmp_path / "back", release, team.trusted, as_best=True).trusted


def test_an_archive_of_a_signed_release_needs_its_stage_tag(team: Team, tmp_path: Path) -> None:
    """A copy of the version tag would not be signed."""
    team.lab.run("git", "tag", "--delete", "tier1#best#1")
    done = team.run("archive", "create", "tier1@v1.0.0", "--output", str(tmp_path / "tier1.tar"))
    assert (done.returncode, "tier1#best#1" in done.stderr, "git fetch --tags" in done.stderr) == (8, True, True)
    assert not (tmp_path / "tier1.tar").exists()


@pytest.mark.slow
def test_verify_checks_the_release_that_recorded_the_package(team: Team, tmp_path: Path) -> None:
    def verify(package: str, keys: Path) -> tuple[int, tuple[str, str]]:
        done = team.run("verify", package, "--json", "--trusted-keys", str(keys))
        return done.returncode, signature(json.loads(done.stdout))

    code, (outcome, _) = verify("models/package", team.trusted)
    assert (code, outcome) == (0, "passed")
    code, (outcome, found) = verify("models/package", team.others)
    assert (code, outcome, "no key in" in found) == (1, "failed", True)
    shutil.copytree(team.lab.folder / "models/package", tmp_path / "copy")
    code, (outcome, found) = verify(str(tmp_path / "copy"), team.trusted)
    assert (code, outcome, "no signature covers it" in found) == (1, "failed", True)
    with (tmp_path / "copy/metrics.json").open("a") as file:
        file.write(" ")
    code, (outcome, _) = verify(str(tmp_path / "copy"), team.trusted)
    assert (code, outcome) == (1, "skipped")


def without_a_record(text: str) -> str:
    return "by hand"


def of_another_model(text: str) -> str:
    digest = re.search(r'"model_sha256": "([0-9a-f]{64})"', text)
    assert digest is not None
    return text.replace(digest[1], "0" * 64)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tier1@v0.9.0", of_another_model),
        ("tier1@v2.0.0", without_a_record),
        pytest.param("tier1@v0.9.0", without_a_record, marks=pytest.mark.slow),
        pytest.param("tier1@v2.0.0", of_another_model, marks=pytest.mark.slow),
        pytest.param("tier0@v1.0.0", str, marks=pytest.mark.slow),
    ],
)
def test_an_added_tag_at_the_commit_of_a_release_does_not_spoil_its_verification(
    team: Team, name: str, message: Callable[[str], str]
) -> None:
    """One who can write to the Git server adds a tag of another name, unsigned."""
    folder = team.lab.folder
    text = tags.find(folder, "tier1@v1.0.0").tag.message.replace("tier1@v1.0.0", name)
    git.run(folder, "tag", "--annotate", "--no-sign", "--file=-", name, stdin=message(text))
    package = folder / "models/package"
    for trusted_keys, outcome in ((team.trusted, "passed"), (None, "noted")):
        finding = check_signature(PackageFiles(package, None, None, (), trusted_keys))
        assert finding.outcome == outcome
        assert trusted_keys is None or finding.found.startswith("`tier1@v1.0.0` is signed by signer@example.com")
    with pytest.raises(MismatchError, match="no key in"):
        check_signature(PackageFiles(package, None, None, (), team.others))


def test_a_drill_of_a_release_without_a_trusted_signature_fails(team: Team, tmp_path: Path) -> None:
    report = ("--report", str(tmp_path), "--json")
    done = team.run("drill", "tier1", *report, "--trusted-keys", str(team.others))
    steps = {step["name"]: step for step in json.loads(done.stdout)["rehearsals"][0]["steps"]}
    assert (done.returncode, steps["clone"]["outcome"], steps["package"]["outcome"]) == (1, "failed", "skipped")
    assert "no key in" in steps["clone"]["found"]


def test_code_of_a_release_without_a_trusted_signature_does_not_run(team: Team, tmp_path: Path) -> None:
    done = team.run("reproduce", "tier1", "--to", str(tmp_path / "back"), "--trusted-keys", str(team.others))
    assert (done.returncode, "no key in" in done.stderr) == (5, True), done.stderr
    assert not (tmp_path / "back").exists()


@pytest.mark.slow
def test_a_tag_object_under_another_name_is_listed_and_is_no_release(team: Team) -> None:
    lab = team.lab
    lab.train(2, 0.08)
    lab.run("git", "update-ref", "refs/tags/tier1@v9.0.0", "refs/tags/tier1@v1.0.0")
    rows = json.loads(team.run("tiers", "--json").stdout)
    assert [(row["tag"], row["object_of"]) for row in rows] == [
        ("tier1@v1.0.0", None),
        ("tier1@v9.0.0", "tier1@v1.0.0"),
    ]
    assert "NOT a release" in team.run("tiers").stdout
    back = ("--to", str(lab.folder.parent / "back"))
    for command in (
        ("recover", "tier1@v9.0.0", *back),
        ("archive", "create", "tier1@v9.0.0"),
        ("locate", "tier1@v9.0.0"),
    ):
        done = team.run(*command)
        assert (done.returncode, "is the object of the tag `tier1@v1.0.0`" in done.stderr) == (5, True), done.stderr
    assert git.commit_of(lab.folder, "HEAD") != git.commit_of(lab.folder, "tier1@v1.0.0")
