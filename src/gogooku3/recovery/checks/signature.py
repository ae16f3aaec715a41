"""Checks the signature of the release tag whose commit recorded a package."""

from __future__ import annotations

from pathlib import Path

from gogooku3.errors import MismatchError
from gogooku3.model.weights import WEIGHTS
from gogooku3.recovery.checks.package_files import PackageFiles
from gogooku3.recovery.checks.verdict import Finding
from gogooku3.recovery.releases import tags
from gogooku3.recovery.releases.package_commit import releases_of
from gogooku3.recovery.releases.record import parse, require_model
from gogooku3.recovery.releases.signatures import check_release
from gogooku3.runtime.files import sha256_file


def signature(files: PackageFiles) -> Finding:
    """The tag of a release that recorded the package is signed; with `--trusted-keys`, by one of these keys.

    The signature covers the tag's commit, whose `dvc.lock` has the manifest's hash, and its record, which has the
    SHA-256 of the weights. Of several such releases, one with a trusted signature is enough.
    """
    root, releases = releases_of(files.package)
    if not releases:
        if files.trusted_keys is not None:
            raise MismatchError(
                "no release in the package's repository recorded it, so no signature covers it",
                hint="recover the release: `gogooku3 recover TAG --from URL --to DIR --trusted-keys FILE`",
            )
        return Finding("skipped", "no release in the package's repository recorded it")
    findings: list[Finding] = []
    errors: list[MismatchError] = []
    for release in releases:
        try:
            findings.append(_check(root, release, files))
        except MismatchError as error:
            errors.append(error)
    if not findings:
        raise errors[0]
    return next((finding for finding in findings if finding.outcome == "passed"), findings[0])


def _check(root: Path, release: tags.Release, files: PackageFiles) -> Finding:
    result = check_release(root, release, files.trusted_keys)
    record = parse(release.tag.message)
    if record is None:
        return Finding("noted", f"`{release.tag.name}` is {result}; it has no record to compare the weights with")
    require_model(release.tag.name, record.model_sha256, sha256_file(files.package / WEIGHTS))
    return Finding("passed" if result.trusted else "noted", f"`{release.tag.name}` is {result}")
