"""Checks a package's list of eleven files, and their checksums against the manifest."""

from __future__ import annotations

from gogooku3.errors import MismatchError
from gogooku3.model.weights import CONFIG, WEIGHTS
from gogooku3.package.environment import ENVIRONMENT
from gogooku3.package.golden import INPUTS, PREDICTIONS
from gogooku3.package.lineage import LINEAGE
from gogooku3.package.manifest import MANIFEST, check_manifest
from gogooku3.recovery.checks.package_files import FETCH, PackageFiles
from gogooku3.recovery.checks.verdict import Finding

FILES = frozenset(
    {
        CONFIG,
        ENVIRONMENT,
        INPUTS.as_posix(),
        LINEAGE,
        MANIFEST,
        "README.md",
        PREDICTIONS.as_posix(),
        WEIGHTS,
        "metrics.json",
        "preprocess.json",
        "schema.json",
    }
)
"""The files of a package. A forged folder can have a matching manifest; this list is fixed."""


def contents(files: PackageFiles) -> Finding:
    """The package contains its files and no others."""
    paths = (path for path in files.package.rglob("*") if path.is_symlink() or not path.is_dir())
    # DVC writes a `.gitignore` into the folders that it tracks.
    found = {path.relative_to(files.package).as_posix() for path in paths if path.name != ".gitignore"}
    faults = [f"{name} is missing" for name in sorted(FILES - found)]
    faults += [f"{name} is not part of a package" for name in sorted(found - FILES)]
    if faults:
        raise MismatchError("; ".join(faults), hint=FETCH)
    return Finding("passed", f"{len(found)} files")


def manifest(files: PackageFiles) -> Finding:
    """Every file has the SHA-256 in the manifest."""
    check_manifest(files.package)
    return Finding("passed", f"every file has the SHA-256 in `{MANIFEST}`")
