"""Is this package what it says it is? Every check that can be made is made, and one verdict stands at the end."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from gogooku3 import paths
from gogooku3.errors import DataError, UserError
from gogooku3.recovery.checks.contents import contents, manifest
from gogooku3.recovery.checks.environment import environment
from gogooku3.recovery.checks.features import dataset as dataset_at_hand
from gogooku3.recovery.checks.features import features, preprocess, schema
from gogooku3.recovery.checks.golden import golden
from gogooku3.recovery.checks.legacy_env import legacy_env as old_knobs
from gogooku3.recovery.checks.lock import lock as recorded
from gogooku3.recovery.checks.package_files import FETCH, PackageFiles
from gogooku3.recovery.checks.verdict import Check, Finding, Verdict
from gogooku3.recovery.checks.weights import configuration, finite, shapes, weights


@dataclass(frozen=True)
class _Rule:
    check: Callable[[PackageFiles], Finding]
    needs: tuple[str, ...] = ()
    """Checks without which this one would only repeat what they said."""


_RULES = {
    "contents": _Rule(contents),
    "manifest": _Rule(manifest),
    "lock": _Rule(recorded),
    "weights": _Rule(weights),
    "finite": _Rule(finite, ("weights",)),
    "configuration": _Rule(configuration),
    "shapes": _Rule(shapes, ("weights", "configuration")),
    "schema": _Rule(schema),
    "features": _Rule(features, ("configuration", "schema")),
    "preprocess": _Rule(preprocess, ("schema",)),
    "dataset": _Rule(dataset_at_hand, ("schema",)),
    "environment": _Rule(environment),
    "golden": _Rule(golden, ("shapes", "environment")),
    "variables": _Rule(old_knobs),
}


def verify(package: Path, *, dataset: Path | None, lock: Path | None, variables: Collection[str] = ()) -> Verdict:
    """Holds a package against its own promises and against what is at hand.

    Whether golden predictions can be exact is decided when NumPy and torch load: call `numerics.pin` with the package's
    numerics before this module is imported, as the command does.

    Args:
        package: the package's folder.
        dataset: a dataset that the model is to score; None skips that check.
        lock: the `dvc.lock` that recorded the package; None skips that check.
        variables: names of environment variables, among which old knobs are named; they never affect the verdict.

    Raises:
        DataError: one of the three is not there at all.
    """
    for folder in (package, *([] if dataset is None else [dataset])):
        if not folder.is_dir():
            raise DataError(f"`{folder}` is not a folder", hint=f"`gogooku3 locate {folder}` says who has it")
    if lock is not None and not lock.is_file():
        raise DataError(f"`{lock}` is not a file", hint="name the `dvc.lock` that recorded the package")
    files = PackageFiles(package, dataset, lock, variables)
    findings: dict[str, Finding] = {}
    for name, rule in _RULES.items():
        missing = [need for need in rule.needs if findings[need].outcome in ("failed", "skipped")]
        findings[name] = _skipped(missing, findings) if missing else _found(rule.check, files)
    return Verdict(str(package), tuple(Check(name, finding) for name, finding in findings.items()))


def beside(package: Path) -> tuple[Path | None, Path | None]:
    """Dataset and lock file of the repository in which a package stands as `models/package`; None where none is."""
    place = package.resolve()
    if not place.as_posix().endswith(f"/{paths.PACKAGE}"):
        return None, None
    root = place.parents[1]
    dataset, lock = root / paths.DATASET, root / paths.LOCK
    return dataset if dataset.is_dir() else None, lock if lock.is_file() else None


def _found(check: Callable[[PackageFiles], Finding], files: PackageFiles) -> Finding:
    try:
        return check(files)
    except UserError as error:
        return Finding("failed", error.message, error.hint)
    except Exception as error:
        # A package is bytes from elsewhere: whatever they make a reader raise is a finding, and hides no other.
        return Finding("failed", f"cannot be checked: {type(error).__name__}: {error}", FETCH)


def _skipped(missing: list[str], findings: dict[str, Finding]) -> Finding:
    reasons = (f"`{need}` {'failed' if findings[need].outcome == 'failed' else 'was skipped'}" for need in missing)
    return Finding("skipped", " and ".join(reasons))
