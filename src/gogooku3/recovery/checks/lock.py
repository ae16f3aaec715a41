"""Checks a package against the hashes in `dvc.lock`, which the pipeline recorded when it made the package."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

import yaml

from gogooku3 import paths
from gogooku3.config.train import LAST_PHASE
from gogooku3.errors import DataError, MismatchError
from gogooku3.model.weights import CONFIG, WEIGHTS
from gogooku3.recovery.checks.package_files import PackageFiles
from gogooku3.recovery.checks.verdict import Finding
from gogooku3.recovery.untrusted import load_yaml

TRAINED = (paths.model_of(LAST_PHASE), paths.ENSEMBLE)
"""The folders of trained models: the pipeline packages the first, or the second with `train.scheme=ensemble`."""

_md5 = partial(hashlib.md5, usedforsecurity=False)


def lock(files: PackageFiles) -> Finding:
    """Every file has the MD5 that `dvc.lock` records, and the model is the trained one."""
    if files.lock is None:
        return Finding("skipped", "no `dvc.lock` given", "name one with `--lock` to check the package against it")
    recorded = outputs(files.lock)
    packaged = {
        Path(path).relative_to(paths.PACKAGE).as_posix(): path
        for path in recorded
        if path.startswith(f"{paths.PACKAGE}/")
    }
    if not packaged:
        raise MismatchError(
            f"`{files.lock}` records nothing under `{paths.PACKAGE}`",
            hint="run `dvc repro`, or name the package's own lock",
        )
    found = {
        path.relative_to(files.package).as_posix(): _digest(path)
        for path in sorted(files.package.rglob("*"))
        if path.is_file() and path.name != ".gitignore"
    }
    faults = [f"{name} is missing" for name in sorted(packaged.keys() - found.keys())]
    faults += [f"{name} is not recorded" for name in sorted(found.keys() - packaged.keys())]
    sources = [(name, path) for name, path in sorted(packaged.items())]
    same = (folder for folder in TRAINED if found.get(WEIGHTS) == recorded.get(f"{folder}/{WEIGHTS}"))
    trained = next(same, TRAINED[0])
    sources += [(name, f"{trained}/{name}") for name in (CONFIG, WEIGHTS)]
    faults += [
        f"{name} has MD5 {found[name]}, `{path}` is recorded with {recorded.get(path, 'none')}"
        for name, path in sources
        if name in found and found[name] != recorded.get(path)
    ]
    if faults:
        raise MismatchError(
            f"not what `{files.lock}` records: {'; '.join(faults)}",
            hint="check out the package's commit with its `dvc.lock`, then `dvc pull --force`",
        )
    return Finding("passed", f"{len(found)} files as `{files.lock}` records; the model is the one of `{trained}`")


def outputs(path: Path) -> dict[str, str]:
    """MD5 of every output in a lock file, by path."""
    try:
        stages = load_yaml(path.read_bytes())["stages"].values()
        return {str(out["path"]): str(out["md5"]) for stage in stages for out in stage.get("outs", ())}
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise DataError(
            f"`{path}` is not a DVC lock file: {error}", hint="restore it with `git checkout dvc.lock`"
        ) from None


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, _md5).hexdigest()
