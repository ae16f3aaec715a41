"""`verify`: runs every integrity and consistency check on a package and combines them into one verdict."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from gogooku3 import paths
from gogooku3.errors import DataError, UserError
from gogooku3.recovery.checks.contents import contents, manifest
from gogooku3.recovery.checks.environment import environment
from gogooku3.recovery.checks.features import dataset as check_dataset
from gogooku3.recovery.checks.features import features, preprocess, schema
from gogooku3.recovery.checks.golden import golden
from gogooku3.recovery.checks.legacy_env import legacy_env as check_legacy_env
from gogooku3.recovery.checks.lock import lock as check_lock
from gogooku3.recovery.checks.metrics import metrics
from gogooku3.recovery.checks.package_files import FETCH, PackageFiles
from gogooku3.recovery.checks.signature import signature
from gogooku3.recovery.checks.verdict import Check, Finding, Verdict
from gogooku3.recovery.checks.weights import configuration, finite, shapes, weights
from gogooku3.recovery.releases.signatures import check_trusted_keys
from gogooku3.runtime.faults import OutOfMemoryError, user_error


@dataclass(frozen=True)
class _Rule:
    check: Callable[[PackageFiles], Finding]
    needs: tuple[str, ...] = ()
    """Checks that must pass first: without them this one would only repeat their findings."""


_RULES = {
    "contents": _Rule(contents),
    "manifest": _Rule(manifest),
    "lock": _Rule(check_lock),
    "signature": _Rule(signature, ("contents", "manifest")),
    "weights": _Rule(weights),
    "finite": _Rule(finite, ("weights",)),
    "configuration": _Rule(configuration),
    "shapes": _Rule(shapes, ("weights", "configuration")),
    "schema": _Rule(schema),
    "features": _Rule(features, ("configuration", "schema")),
    "preprocess": _Rule(preprocess, ("schema",)),
    "dataset": _Rule(check_dataset, ("schema",)),
    "metrics": _Rule(metrics, ("contents",)),
    "environment": _Rule(environment),
    "golden": _Rule(golden, ("shapes", "environment")),
    "variables": _Rule(check_legacy_env),
}


def verify(
    package: Path,
    *,
    dataset: Path | None,
    lock: Path | None,
    variables: Collection[str] = (),
    trusted_keys: Path | None = None,
) -> Verdict:
    """Checks a package against its own manifest and schema, and against a dataset and a lock file.

    Golden predictions can be bitwise identical only if `numerics.pin` was called with the package's numerics before
    NumPy and torch load, so before this module is imported, as the command does.

    Args:
        package: the package's folder.
        dataset: a dataset for the model to score; None skips that check.
        lock: the `dvc.lock` that recorded the package; None skips that check.
        variables: names of environment variables, to report legacy options; they never affect the verdict.
        trusted_keys: SSH keys in Git's allowed-signers format; one of them must have signed the package's release.

    Raises:
        ConfigError: `trusted_keys` is not a list of trusted signers.
        DataError: package, dataset or lock file does not exist.
    """
    for folder in (package, *([] if dataset is None else [dataset])):
        if not folder.is_dir():
            raise DataError(f"`{folder}` is not a folder", hint=f"run `gogooku3 locate {folder}` to find a copy")
    if lock is not None and not lock.is_file():
        raise DataError(f"`{lock}` is not a file", hint="name the `dvc.lock` that recorded the package")
    check_trusted_keys(trusted_keys)
    files = PackageFiles(package, dataset, lock, variables, trusted_keys)
    findings: dict[str, Finding] = {}
    for name, rule in _RULES.items():
        missing = [need for need in rule.needs if findings[need].outcome in ("failed", "skipped")]
        findings[name] = _skipped(missing, findings) if missing else _run_check(rule.check, files)
    return Verdict(str(package), tuple(Check(name, finding) for name, finding in findings.items()))


def default_inputs(package: Path) -> tuple[Path | None, Path | None]:
    """Dataset and lock file of the repository with the package as its `models/package`; None if one does not exist."""
    folder = package.resolve()
    if not folder.as_posix().endswith(f"/{paths.PACKAGE}"):
        return None, None
    root = folder.parents[1]
    dataset, lock = root / paths.DATASET, root / paths.LOCK
    return dataset if dataset.is_dir() else None, lock if lock.is_file() else None


def _run_check(check: Callable[[PackageFiles], Finding], files: PackageFiles) -> Finding:
    try:
        return check(files)
    except UserError as error:
        return Finding("failed", error.message, error.hint)
    except Exception as error:
        if isinstance(fault := user_error(error), OutOfMemoryError):
            return Finding("failed", f"cannot be checked: {fault.message}", fault.hint)
        # A package is untrusted input: any exception of a reader is a finding, and the other checks still run.
        return Finding("failed", f"cannot be checked: {type(error).__name__}: {error}", FETCH)


def _skipped(missing: list[str], findings: dict[str, Finding]) -> Finding:
    reasons = (f"`{need}` {'failed' if findings[need].outcome == 'failed' else 'was skipped'}" for need in missing)
    return Finding("skipped", " and ".join(reasons))
