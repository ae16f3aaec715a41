"""Signatures of release tags: Git checks them against keys that the user trusts.

A signature covers the whole tag object: its name, its commit, and its message with the record of the model. SSH keys
are trusted through a file in Git's allowed-signers format (`ssh-keygen(1)`, section ALLOWED SIGNERS), OpenPGP keys
through the user's own keyring.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from gogooku3.errors import ConfigError, MismatchError
from gogooku3.recovery.releases import git, tags

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


def check_tag(root: Path, tag: git.AnnotatedTag, trusted_keys: Path | None) -> Signature:
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
    for tag in git.annotated_tags(root):
        mark = tags.STAGE_TAG.fullmatch(tag.name)
        if (
            mark
            and not tag.is_renamed
            and (mark["tier"], mark["stage"], mark["cancel"], tag.commit)
            == (
                *(release.tier, tags.BEST, ""),
                release.commit,
            )
        ):
            try:
                check_tag(root, tag, trusted_keys)
                return
            except MismatchError as error:
                reasons.append(error.message)
    raise MismatchError(
        f"no trusted key marked `{release.tag.name}` as the best of `{release.tier}`: {'; '.join(reasons)}",
        hint=f"name the version to recover: `{release.tag.name}`",
    )


def _check(root: Path, tag: git.AnnotatedTag, trusted_keys: Path | None) -> Signature:
    good, output = git.verify_tag(root, tag, trusted_keys)
    return _ssh(tag, good, output) if tag.signature.startswith(_SSH) else _pgp(tag, good, output)


def _ssh(tag: git.AnnotatedTag, good: bool, output: str) -> Signature:
    if _CANNOT_CHECK.search(output):
        return Signature(False, f"signed, not checked: {' '.join(output.split())}; Git 2.34 and OpenSSH 8.2 check it")
    match = _SSH_GOOD.search(output)
    if match is None:
        raise _altered(tag, output)
    if good and match["signer"]:
        return Signature(True, f"signed by {match['signer']}, {match['key']}, which is trusted")
    return Signature(False, f"signed, not checked: {match['key']} is not among the trusted keys")


def _pgp(tag: git.AnnotatedTag, good: bool, output: str) -> Signature:
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


def _altered(tag: git.AnnotatedTag, output: str) -> MismatchError:
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
