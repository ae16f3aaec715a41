"""Signatures of release tags: Git makes them, and checks them against keys that the user trusts.

A signature covers the whole tag object: its name, its commit, and its message with the record of the model. SSH keys
are trusted through a file in Git's allowed-signers format (`ssh-keygen(1)`, section ALLOWED SIGNERS), OpenPGP keys
through the user's own keyring.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gogooku3.errors import ConfigError, GitError, MismatchError
from gogooku3.recovery.releases import git, tag_objects, tags

_SSH = "-----BEGIN SSH SIGNATURE"
_SSH_GOOD = re.compile(r'^Good "git" signature (?:for (?P<signer>.*) )?with (?P<key>\S+ key \S+)$', re.MULTILINE)
_CANNOT_CHECK = re.compile(r"cannot run|no signature found|unknown option|illegal option|is needed for ssh")
"""What Git and `ssh-keygen` print if one of them is missing or too old for SSH signatures."""
_PGP_STATUS = re.compile(r"^\[GNUPG:\] (?P<word>[A-Z_]+)(?: (?P<key>[0-9A-Fa-f]+))?(?: (?P<signer>.*))?$", re.MULTILINE)
_PUBLIC_KEY = re.compile(r"(?:ssh|ecdsa|sk-ssh|sk-ecdsa)-\S+ ")


@dataclass(frozen=True)
class Signature:
    """The result of a check of a tag's signature."""

    trusted: bool
    """Whether a key that the user trusts signed the tag."""
    description: str

    def __str__(self) -> str:
        return self.description


def check_tag(root: Path, tag: tag_objects.AnnotatedTag, trusted_keys: Path | None) -> Signature:
    """Checks the signature of a tag.

    Args:
        trusted_keys: a file of trusted SSH keys in Git's allowed-signers format. None to use the keys in the user's Git
            settings (`gpg.ssh.allowedSignersFile`) and keyring, and to accept tags without a trusted signature.

    Raises:
        MismatchError: the tag was changed after it was signed, or no key in the file signed it.
        GitError: Git cannot check signatures.
    """
    signature = Signature(False, "unsigned") if not tag.signature else _check(root, tag, trusted_keys)
    if trusted_keys is not None and not (signature.trusted and tag.signature.startswith(_SSH)):
        raise MismatchError(
            f"no key in `{trusted_keys}` signed `{tag.name}`: it is {signature}",
            hint="do not trust the tag; if its signer is trusted, add the public key to the file",
        )
    return signature


def check_release(root: Path, release: tags.Release, trusted_keys: Path | None, *, as_best: bool = False) -> Signature:
    """Checks the signature of a release's version tag: see `check_tag`.

    Args:
        as_best: the release was chosen as the best of its tier. With `trusted_keys`, a trusted key must have signed a
            stage tag that marks it, too.
    """
    signature = check_tag(root, release.tag, trusted_keys)
    if as_best and trusted_keys is not None:
        _require_signed_mark(root, release, trusted_keys)
    return signature


def _require_signed_mark(root: Path, release: tags.Release, trusted_keys: Path) -> None:
    reasons = []
    for tag in tag_objects.annotated_tags(root):
        if tag.commit == release.commit and not tag.is_renamed and tags.marks_best(tag.name, release.tier):
            try:
                check_tag(root, tag, trusted_keys)
                return
            except MismatchError as error:
                reasons.append(error.message)
    raise MismatchError(
        f"no trusted key marked `{release.tag.name}` as the best of `{release.tier}`: {'; '.join(reasons)}",
        hint=f"name the version to recover: `{release.tag.name}`",
    )


def _check(root: Path, tag: tag_objects.AnnotatedTag, trusted_keys: Path | None) -> Signature:
    good, output = _verify_tag(root, tag, trusted_keys)
    return _ssh(tag, good, output) if tag.signature.startswith(_SSH) else _pgp(tag, good, output)


def _verify_tag(root: Path, tag: tag_objects.AnnotatedTag, allowed_signers: Path | None) -> tuple[bool, str]:
    """Checks the signature of a tag object with `git verify-tag`, in a temporary repository.

    Settings of the tag's own repository, which may be somebody else's, decide neither on the programs that run nor on
    the keys.

    Args:
        allowed_signers: trusted SSH keys; None for those in the user's settings, if there are any.

    Returns:
        Whether the signature is good and its signer known, and the output of the program that checked it.
    """
    with _sharing_objects(root) as repository:
        settings = {}
        own_list = git.run(root, repository, "config", "--default=", "--get", "gpg.ssh.allowedSignersFile").strip()
        if allowed_signers is not None or not own_list:
            # Git needs a file to check an SSH signature, even against no signers.
            settings = {"gpg.ssh.allowedSignersFile": str((allowed_signers or Path(os.devnull)).absolute())}
        done = git.run_unchecked(root, (repository, "verify-tag", "--raw", tag.object), settings=settings)
    return done.returncode == 0, done.stderr


def _ssh(tag: tag_objects.AnnotatedTag, good: bool, output: str) -> Signature:
    if _CANNOT_CHECK.search(output):
        return Signature(False, f"signed, not checked: {' '.join(output.split())}; Git 2.34 and OpenSSH 8.2 check it")
    match = _SSH_GOOD.search(output)
    if match is None:
        raise _altered(tag, output)
    if good and match["signer"]:
        return Signature(True, f"signed by {match['signer']}, {match['key']}, which is trusted")
    return Signature(False, f"signed, not checked: {match['key']} is not among the trusted keys")


def _pgp(tag: tag_objects.AnnotatedTag, good: bool, output: str) -> Signature:
    status = {match["word"]: match for match in _PGP_STATUS.finditer(output)}
    if "BADSIG" in status:
        raise _altered(tag, output)
    if "GOODSIG" not in status:
        key = next((status[word]["key"] for word in ("NO_PUBKEY", "ERRSIG") if word in status), None)
        reason = f"PGP key {key} is not in the keyring, or not valid" if key else "no PGP program could read it"
        return Signature(False, f"signed, not checked: {reason}")
    signer, key = status["GOODSIG"]["signer"], status["GOODSIG"]["key"]
    single = len(re.findall(r"^\[GNUPG:\] NEWSIG", output, re.MULTILINE)) <= 1
    if not (good and single and {"TRUST_FULLY", "TRUST_ULTIMATE"} & status.keys()):
        return Signature(False, f"signed by PGP key {key} of the keyring, not checked: the keyring does not trust it")
    return Signature(True, f"signed by {signer}, PGP key {key}, which the keyring trusts")


def _altered(tag: tag_objects.AnnotatedTag, output: str) -> MismatchError:
    return MismatchError(
        f"the signature of `{tag.name}` is not valid: {' '.join(output.split()) or 'Git gives no reason'}",
        hint="do not trust the tag, it was changed after it was signed: ask its author",
    )


def check_trusted_keys(file: Path | None) -> None:
    """Checks the form of an allowed-signers file, if there is one; a file of bare public keys is a common mistake.

    Raises `ConfigError` if a line does not name signers and a key, or there is none.
    """
    if file is None:
        return
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"`{file}` cannot be read: {error}", hint=_FORMAT) from None
    entries = [line for line in lines if line and not line.startswith("#")]
    wrong = next((line for line in entries if _PUBLIC_KEY.match(line) or not _PUBLIC_KEY.search(line)), None)
    if wrong is not None or not entries:
        found = f"its line `{wrong[:60]}` has no signer before a key" if wrong else "it is empty"
        raise ConfigError(f"`{file}` is not a list of trusted signers: {found}", hint=_FORMAT)


_FORMAT = 'write one signer on each line: `alice@example.com namespaces="git" ssh-ed25519 AAAA…`'


def sign(root: Path, content: str) -> str:
    """Content of a tag object, signed as the user's Git settings say: same name, commit, time and message.

    `git tag` always writes a reference, so it runs in a temporary repository that shares the objects.

    Raises `GitError` if it cannot be signed.
    """
    head, message = content.split("\n\n", 1)
    target, _, tag, tagger = (line.split(" ", 1)[1] for line in head.split("\n"))
    with _sharing_objects(root) as repository:
        done = git.run_unchecked(
            root,
            (repository, "tag", "--sign", "--cleanup=verbatim", "--file=-", "--", tag, target),
            message,
            settings=_signing_settings(root),
            variables={"GIT_COMMITTER_DATE": "@" + " ".join(tagger.rsplit(" ", 2)[1:])},
        )
        signed = "" if done.returncode else git.run(root, repository, "cat-file", "tag", tag)
    if not tag_objects.split_signature(signed)[1]:  # Git can fail to sign, and succeed
        raise GitError(
            f"`{tag}` cannot be signed: {' '.join(done.stderr.split())}",
            hint="name a key with `git config user.signingKey KEY`, and its kind with `git config gpg.format ssh`",
        )
    return signed


def _signing_settings(root: Path) -> dict[str, str]:
    """The settings of a repository that decide on who signs a tag, and how."""
    settings = (line.partition("\n") for line in git.run(root, "config", "--list", "--null").split("\0"))
    return {
        name: value if has_value else "true"
        for name, has_value, value in settings
        if name.startswith(("user.", "committer.", "gpg."))
    }


def signs_tags(root: Path) -> bool:
    """Whether the user's Git settings say that tags are signed."""
    return git.run(root, "config", "--type=bool", "--default=false", "--get", "tag.gpgSign").strip() == "true"


@contextmanager
def _sharing_objects(root: Path) -> Iterator[str]:
    """Context manager: the option for Git commands in a temporary repository with a repository's objects.

    It has neither its references nor its settings.
    """
    with tempfile.TemporaryDirectory() as folder:
        git.run(root, "init", "--quiet", "--bare", "--template=", "--", folder)
        objects = root / git.run(root, "rev-parse", "--git-path", "objects").rstrip("\n")
        (Path(folder) / "objects/info/alternates").write_text(f"{objects.absolute()}\n", encoding="utf-8")
        yield f"--git-dir={folder}"
