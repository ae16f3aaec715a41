"""The parameters that a package was made with: a package does not have all that features are computed from.

`schema.json` and `preprocess.json` have the features, the horizons, the clip and the number of neighbours. The window
and the dates of the graph, the joined tables, the columns of the bars and the portfolio are in `params.yaml` only.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from gogooku3 import config, paths
from gogooku3.config import Params
from gogooku3.errors import DataError, GitError, MismatchError
from gogooku3.package.manifest import MANIFEST
from gogooku3.recovery.releases import git, parameters
from gogooku3.recovery.releases.package_commit import commit_of_package, recorded_paths
from gogooku3.recovery.untrusted import load_yaml

_READ = ("dataset", "quotes", "evaluation")
"""Sections that scoring reads."""


def of_package(package: Path, file: Path | None = None) -> Params:
    """The parameters of a package.

    They are read from `file`; else from the commit whose `dvc.lock` records the package; else from the working tree of
    the package, if its `dvc.lock` records the package and was made with its `params.yaml`.

    Raises:
        ConfigError: a parameter file is missing or invalid.
        DataError: the parameters are unknown.
    """
    if file is not None:
        return config.load_released(file)
    if (made := commit_of_package(package)) is not None:
        text = git.show(made.root, made.commit, paths.PARAMS)
        with parameters.read_errors(made.commit, paths.PARAMS):
            return config.parse(parameters.parse(text))
    if (root := _uncommitted(package)) is not None:
        return config.load_released(root / paths.PARAMS)
    raise DataError(
        f"no commit and no `dvc.lock` records the package `{package}`, so its parameters are not known",
        hint="name its `params.yaml` (`--params FILE`, `load(…, params=FILE)`), or a release (`TIER@VERSION`)",
    )


def require_same(params: Params, package: Path, own: dict[str, Any], clip: float) -> None:
    """Refuses parameters that are not those of a package.

    Args:
        own: the content of the package's `schema.json`.
        clip: the clip of its `preprocess.json`.

    Raises:
        MismatchError: horizons, neighbours or clip differ.
    """
    dataset = params.dataset
    pairs = {
        "dataset.horizons": (dataset.horizons, own["horizons"]),
        "dataset.graph.neighbours": (dataset.graph.neighbours, own["neighbours"]),
        "dataset.clip": (dataset.clip, clip),
    }
    differing = [f"`{name}` is {given}, the package has {of}" for name, (given, of) in pairs.items() if given != of]
    if differing:
        raise MismatchError(
            f"these are not the parameters of `{package}`: {'; '.join(differing)}",
            hint="name the `params.yaml` of the commit that made the package",
        )


def _uncommitted(package: Path) -> Path | None:
    """The working tree that made a package in its last run, which is not committed yet."""
    with suppress(GitError, OSError):
        root = git.toplevel(package)
        lock = (root / paths.LOCK).read_text(encoding="utf-8")
        digest = hashlib.md5((package / MANIFEST).read_bytes(), usedforsecurity=False).hexdigest()
        if str(paths.PACKAGE / MANIFEST) in recorded_paths(lock, digest) and _made_with(root, lock):
            return root
    return None


def _made_with(root: Path, lock: str) -> bool:
    """Whether the stages of a lock file ran with the working tree's `params.yaml`, as far as scoring reads it."""
    with suppress(yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError):
        now = parameters.flat(load_yaml((root / paths.PARAMS).read_text(encoding="utf-8")))
        recorded: dict[str, Any] = {}
        for stage in load_yaml(lock)["stages"].values():
            recorded |= parameters.flat(stage.get("params", {}).get(str(paths.PARAMS), {}))
        read = {name: value for name, value in recorded.items() if name.split(".")[0] in _READ}
        return bool(read) and all(now.get(name) == value for name, value in read.items())
    return False
