"""Signatures of tags, made and checked with real keys by Git, `ssh-keygen` and `gpg`."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gogooku3.errors import ConfigError, GitError, MismatchError
from gogooku3.recovery.releases import git, signatures, tag_objects, tags
from gogooku3.recovery.releases.signatures import Signature, check_release, check_tag, check_trusted_keys

TAG = "tier1@v1.0.0"
MARK = "tier1#best#1"


@dataclass(frozen=True)
class Signer:
    """An SSH key, and a file that trusts it."""

    key: Path
    trusted: Path

    @property
    def settings(self) -> tuple[str, ...]:
        return ("-c", "gpg.format=ssh", "-c", f"user.signingKey={self.key}")


def signer(folder: Path, name: str) -> Signer:
    key, trusted = folder / name, folder / f"{name}.trusted"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    trusted.write_text(f'# the team\n\n{name}@example.com namespaces="git" {key.with_suffix(".pub").read_text()}')
    return Signer(key, trusted)


@pytest.fixture(scope="module")
def alice(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return signer(tmp_path_factory.mktemp("alice"), "alice")


@pytest.fixture(scope="module")
def mallory(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return signer(tmp_path_factory.mktemp("mallory"), "mallory")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of two commits, whose user has no Git settings."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    folder = tmp_path / "repository"
    folder.mkdir()
    git.run(folder, "init", "--quiet", "--initial-branch=main")
    git.run(folder, "config", "user.name", "Test")
    git.run(folder, "config", "user.email", "test@example.com")
    for _ in range(2):
        git.run(folder, "commit", "--quiet", "--allow-empty", "--message", "One")
    return folder


def sign(root: Path, by: Signer | None, name: str = TAG, commit: str = "HEAD") -> None:
    settings = by.settings if by else ()
    git.run(root, *settings, "tag", "--sign" if by else "--annotate", "--message", "released", name, commit)


def checked(root: Path, name: str = TAG, keys: Path | None = None) -> Signature:
    return check_tag(root, next(tag for tag in tag_objects.annotated_tags(root) if tag.name == name), keys)


def replace(root: Path, name: str, content: str) -> None:
    """Puts another object under a tag's name, as one who can write to the Git server does."""
    git.run(root, "update-ref", f"refs/tags/{name}", git.run(root, "mktag", "--no-strict", stdin=content).strip())


def content(root: Path, name: str) -> str:
    return git.run(root, "cat-file", "tag", f"refs/tags/{name}")


def test_a_tag_of_a_trusted_key_is_trusted(root: Path, alice: Signer) -> None:
    sign(root, alice)
    found = checked(root, keys=alice.trusted)
    assert found.trusted
    assert str(found).startswith("signed by alice@example.com, ED25519 key SHA256:")


def test_without_a_list_a_signed_tag_is_not_called_trusted(root: Path, alice: Signer) -> None:
    sign(root, alice)
    found = checked(root)
    assert not found.trusted
    assert str(found).startswith("signed, not checked: ED25519 key SHA256:")


def test_the_list_in_the_user_s_git_settings_is_used(
    root: Path, alice: Signer, mallory: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "settings"))
    sign(root, alice)
    git.run(root, "config", "--global", "gpg.ssh.allowedSignersFile", str(mallory.trusted))
    assert not checked(root).trusted
    git.run(root, "config", "--global", "gpg.ssh.allowedSignersFile", str(alice.trusted))
    assert checked(root).trusted
    with pytest.raises(MismatchError, match="no key in"):
        checked(root, keys=mallory.trusted)


def test_an_unsigned_tag_is_named_so_and_refused_with_a_list(root: Path, alice: Signer) -> None:
    sign(root, None)
    assert checked(root) == Signature(False, "unsigned")
    with pytest.raises(MismatchError, match=r"no key in .* signed `tier1@v1.0.0`: it is unsigned"):
        checked(root, keys=alice.trusted)


def test_a_tag_of_another_key_is_refused(root: Path, alice: Signer, mallory: Signer) -> None:
    sign(root, mallory)
    with pytest.raises(MismatchError, match=r"is not among the trusted keys"):
        checked(root, keys=alice.trusted)


@pytest.mark.parametrize("listed", [True, False], ids=["with a list", "without"])
@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("released", "released too"),
        lambda text: text.replace("tag tier1@v1.0.0", "tag tier1@v1.1.0"),
        lambda text: text.replace("tagger Test", "tagger Someone"),
        lambda text: text.replace("\n-----END", "\nAAAA\n-----END"),
        lambda text: text[: text.index("-----END")],
    ],
    ids=["message", "name", "tagger", "signature", "cut off"],
)
def test_a_tag_that_was_changed_after_it_was_signed_is_refused(
    root: Path, alice: Signer, change: object, listed: bool
) -> None:
    sign(root, alice)
    replace(root, TAG, change(content(root, TAG)))  # type: ignore[operator]
    with pytest.raises(MismatchError):
        checked(root, keys=alice.trusted if listed else None)


def test_a_signed_tag_at_another_commit_is_refused(root: Path, alice: Signer) -> None:
    sign(root, alice)
    head, other = (git.commit_of(root, rev) for rev in ("HEAD", "HEAD~"))
    replace(root, TAG, content(root, TAG).replace(head, other))
    with pytest.raises(MismatchError, match=r"signature of `tier1@v1.0.0` is not valid"):
        checked(root)


def test_a_signature_of_another_purpose_is_refused(root: Path, alice: Signer, tmp_path: Path) -> None:
    """The key signed the same bytes as a file, not as a tag."""
    sign(root, None)
    text = content(root, TAG)
    (tmp_path / "text").write_text(text)
    subprocess.run(
        ["ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", str(alice.key), str(tmp_path / "text")],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    replace(root, TAG, text + (tmp_path / "text.sig").read_text())
    with pytest.raises(MismatchError):
        checked(root, keys=alice.trusted)


@pytest.mark.parametrize("name", ["tier1@v1.1.0", "tier1#best#2", "tier1@v1.0.0!"])
def test_a_signed_tag_object_under_another_name_is_no_release(root: Path, alice: Signer, name: str) -> None:
    sign(root, alice, "tier1@v1.0.0", "HEAD~")
    sign(root, alice, "tier1@v1.2.0")
    sign(root, alice, MARK)
    git.run(root, "update-ref", f"refs/tags/{name}", git.run(root, "rev-parse", "refs/tags/tier1@v1.0.0").strip())
    registry = tags.read(root)
    assert [release.tag.name for release in registry.releases] == ["tier1@v1.0.0", "tier1@v1.2.0"]
    assert [tag.name for tag in registry.renamed] == [name]
    with pytest.raises(MismatchError, match=f"`{name}` is the object of the tag `tier1@v1.0.0`"):
        registry.find("tier1" if "#" in name else name)
    assert registry.find("tier1@v1.2.0").commit == git.commit_of(root, "HEAD")


def test_the_best_is_trusted_if_a_trusted_key_marked_it(root: Path, alice: Signer, mallory: Signer) -> None:
    sign(root, alice, "tier1@v1.0.0", "HEAD~")
    sign(root, alice, MARK, "HEAD~")
    sign(root, alice, "tier1@v1.1.0")
    first, second = tags.read(root).releases
    assert check_release(root, first, alice.trusted, as_best=True).trusted
    sign(root, mallory, "tier1#best#2")
    assert check_release(root, second, alice.trusted).trusted
    assert check_release(root, second, None, as_best=True).description.startswith("signed, not checked")
    with pytest.raises(MismatchError, match=r"no trusted key marked `tier1@v1.1.0` as the best"):
        check_release(root, second, alice.trusted, as_best=True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("# nobody yet\n", "it is empty"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOM alice\n", "has no signer before a key"),
        ("alice@example.com\n", "has no signer before a key"),
        ("\x00\xff", "has no signer before a key"),
    ],
    ids=["empty", "comments", "public key", "no key", "binary"],
)
def test_a_file_that_lists_no_signers_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "keys"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=reason) as error:
        check_trusted_keys(file)
    assert "ssh-ed25519" in error.value.hint


def test_a_file_of_signers_that_is_absent_or_a_folder_is_refused(tmp_path: Path) -> None:
    for file in (tmp_path / "absent", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            check_trusted_keys(file)


def test_settings_of_the_tag_s_own_repository_decide_nothing(root: Path, mallory: Signer, alice: Signer) -> None:
    """A repository of somebody else, such as an unpacked archive, brings its own `.git/config`."""
    sign(root, mallory)
    program = root / "program"
    good = 'Good "git" signature for alice with ED25519 key SHA256:x'
    program.write_text(f"#!/bin/sh\ntouch {root}/ran\necho '{good}'\n")
    program.chmod(0o755)
    git.run(root, "config", "gpg.ssh.program", str(program))
    git.run(root, "config", "gpg.ssh.allowedSignersFile", str(mallory.trusted))
    with pytest.raises(MismatchError, match="no key in"):
        checked(root, keys=alice.trusted)
    assert not checked(root).trusted
    assert not (root / "ran").exists()


def test_a_program_that_brings_missing_objects_does_not_run(root: Path) -> None:
    program = root / "program"
    program.write_text(f"#!/bin/sh\ntouch {root}/ran\n")
    program.chmod(0o755)
    for name, value in (
        ("core.repositoryFormatVersion", "1"),
        ("extensions.partialClone", "evil"),
        ("remote.evil.url", str(root)),
        ("remote.evil.promisor", "true"),
        ("remote.evil.uploadpack", str(program)),
    ):
        git.run(root, "config", name, value)
    git.run(root, "add", "program")
    git.run(root, "commit", "--quiet", "--message", "Two")
    tree = git.run(root, "rev-parse", "HEAD^{tree}").strip()
    (root / ".git/objects" / tree[:2] / tree[2:]).unlink()
    with pytest.raises(GitError):
        git.run(root, "ls-tree", "HEAD")
    assert not (root / "ran").exists()


def test_without_the_program_a_signature_is_not_called_altered(
    root: Path, alice: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign(root, alice)
    found = shutil.which("git")
    assert found is not None
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").symlink_to(found)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert str(checked(root)).startswith("signed, not checked: ")
    with pytest.raises(MismatchError, match="no key in"):
        checked(root, keys=alice.trusted)


def test_a_version_tag_under_a_stage_s_name_marks_nothing(root: Path, alice: Signer) -> None:
    sign(root, alice, "tier1@v1.0.0")
    git.run(root, "update-ref", "refs/tags/tier1#best#6", git.run(root, "rev-parse", "refs/tags/tier1@v1.0.0").strip())
    (release,) = tags.read(root).releases
    with pytest.raises(MismatchError, match="no trusted key marked"):
        check_release(root, release, alice.trusted, as_best=True)


def test_a_release_whose_tag_has_a_counter_is_found_by_both_names(root: Path) -> None:
    sign(root, None, "tier1@v1.0.0#1")
    registry = tags.read(root)
    assert registry.find("tier1@v1.0.0").tag.name == registry.find("tier1@v1.0.0#1").tag.name == "tier1@v1.0.0#1"


def test_a_list_of_signers_is_accepted(alice: Signer) -> None:
    check_trusted_keys(alice.trusted)
    check_trusted_keys(None)


def test_a_new_tag_is_signed_without_a_trace_in_the_repository(root: Path, alice: Signer) -> None:
    """The settings are the repository's own, and the key's path is relative to it."""
    shutil.copy(alice.key, root / "key")
    shutil.copy(alice.key.with_suffix(".pub"), root / "key.pub")
    for name, value in (("gpg.format", "ssh"), ("user.signingKey", "key")):
        git.run(root, "config", name, value)
    before = git.run(root, "for-each-ref")
    head = git.commit_of(root, "HEAD")
    text = 'released\n\nrecord: {"x": "ü"}\n'
    made = signatures.sign(root, tag_objects.new_object(root, TAG, head, text))
    assert git.run(root, "for-each-ref") == before
    tag_objects.create_tags(root, {TAG: made})
    tag = tag_objects.annotated_tags(root)[0]
    assert (tag.commit, tag.message, tag.recorded_name) == (head, text, TAG)
    assert checked(root, keys=alice.trusted).trusted


@pytest.mark.parametrize("key", ["/no/such/key", "key::ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabg"])
def test_a_tag_that_cannot_be_signed_is_one_error_with_a_hint(root: Path, key: str) -> None:
    """Git 2.39 makes an unsigned tag, and succeeds, if the key's file does not exist."""
    git.run(root, "config", "gpg.format", "ssh")
    git.run(root, "config", "user.signingKey", key)
    with pytest.raises(GitError, match=r"`tier1@v1.0.0` cannot be signed: .*key") as error:
        signatures.sign(root, tag_objects.new_object(root, TAG, git.commit_of(root, "HEAD"), "x"))
    assert "user.signingKey" in error.value.hint
    assert git.tag_names(root) == []


@pytest.mark.parametrize(("value", "signs"), [(None, False), ("true", True), ("no", False)])
def test_git_s_own_setting_says_whether_tags_are_signed(root: Path, value: str | None, signs: bool) -> None:
    if value:
        git.run(root, "config", "tag.gpgSign", value)
    assert signatures.signs_tags(root) is signs


@pytest.fixture
def keyring(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A keyring with a new PGP key; its path is short, since the agent's socket is in it."""
    if shutil.which("gpg") is None:
        pytest.skip("gpg is not installed")
    folder = Path(tempfile.mkdtemp(prefix="gnupg-", dir="/tmp"))
    monkeypatch.setenv("GNUPGHOME", str(folder))
    new_key = ("--passphrase", "", "--quick-generate-key", "Alice <alice@example.com>", "ed25519")
    subprocess.run(["gpg", "--batch", "--quiet", *new_key], check=True, capture_output=True)
    git.run(root, "config", "user.signingKey", "alice@example.com")
    yield folder
    subprocess.run(["gpgconf", "--kill", "all"], check=False)
    shutil.rmtree(folder, ignore_errors=True)  # the agent removes its sockets at the same time


def test_pgp_signatures_are_checked_against_the_keyring(
    root: Path, keyring: Path, alice: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    git.run(root, "tag", "--sign", "--message", "released", TAG)
    trusted = checked(root)
    assert trusted.trusted
    assert str(trusted).startswith("signed by Alice <alice@example.com>, PGP key ")
    with pytest.raises(MismatchError, match="no key in"):
        checked(root, keys=alice.trusted)
    (keyring / "trustdb.gpg").unlink()
    untrusted = checked(root)
    assert (untrusted.trusted, "the keyring does not trust it" in str(untrusted)) == (False, True)
    replace(root, TAG, content(root, TAG).replace("released", "Released"))
    with pytest.raises(MismatchError, match=r"signature of `tier1@v1.0.0` is not valid"):
        checked(root)


def test_a_pgp_key_that_is_not_in_the_keyring_is_not_checked(
    root: Path, keyring: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git.run(root, "tag", "--sign", "--message", "released", TAG)
    (tmp_path / "empty").mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(tmp_path / "empty"))
    found = checked(root)
    assert (found.trusted, "signed, not checked: PGP key" in str(found)) == (False, True)
    git.run(root, "config", "gpg.program", "/no/such/program")
    found = checked(root)
    assert (found.trusted, "signed, not checked" in str(found)) == (False, True)
