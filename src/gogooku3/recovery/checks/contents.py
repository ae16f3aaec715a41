"""The files of a package: these eleven, and each of them as the manifest promises."""

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
"""What a package is made of. A manifest can be written anew to suit a folder; this list cannot."""


def contents(files: PackageFiles) -> Finding:
    """The package holds its files and no other."""
    paths = (path for path in files.package.rglob("*") if path.is_symlink() or not path.is_dir())
    # DVC names what it tracks in a `.gitignore` beside it.
    found = {path.relative_to(files.package).as_posix() for path in paths if path.name != ".gitignore"}
    faults = [f"{name} is missing" for name in sorted(FILES - found)]
    faults += [f"{name} is not part of a package" for name in sorted(found - FILES)]
    if faults:
        raise MismatchError("; ".join(faults), hint=FETCH)
    return Finding("passed", f"{len(found)} files")


def manifest(files: PackageFiles) -> Finding:
    """Every file has the SHA-256 that the manifest promises."""
    check_manifest(files.package)
    return Finding("passed", f"every file as `{MANIFEST}` promises")
