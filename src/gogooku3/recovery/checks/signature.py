"""Checks the signature of the release tag whose commit recorded a package."""

from __future__ import annotations

from gogooku3.errors import MismatchError
from gogooku3.model.weights import WEIGHTS
from gogooku3.recovery.checks.package_files import PackageFiles
from gogooku3.recovery.checks.verdict import Finding
from gogooku3.recovery.releases.provenance import release_of
from gogooku3.recovery.releases.record import parse, require_model
from gogooku3.recovery.releases.signatures import check_release
from gogooku3.runtime.files import sha256_file


def signature(files: PackageFiles) -> Finding:
    """The tag of the package's release is signed; with `--trusted-keys`, by one of these keys.

    The signature covers the tag's commit, whose `dvc.lock` has the manifest's hash, and its record, which has the
    SHA-256 of the weights.
    """
    found = release_of(files.package)
    if found is None:
        if files.trusted_keys is not None:
            raise MismatchError(
                "no release in the package's repository recorded it, so no signature covers it",
                hint="recover the release: `gogooku3 recover TAG --from URL --to DIR --trusted-keys FILE`",
            )
        return Finding("skipped", "no release in the package's repository recorded it")
    root, release = found
    result = check_release(root, release, files.trusted_keys)
    if record := parse(release.tag.message):
        require_model(release.tag.name, record.model_sha256, sha256_file(files.package / WEIGHTS))
    return Finding("passed" if result.trusted else "noted", f"`{release.tag.name}` is {result}")
