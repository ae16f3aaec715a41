"""A model to score with: a package folder, or a release that is fetched once and cached."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gogooku3 import source
from gogooku3.config import Params
from gogooku3.errors import DataError
from gogooku3.metrics.split_file import table_of
from gogooku3.runtime.interruption import masked_in_children


@dataclass(frozen=True)
class Wanted:
    """What a user names: a release or a package folder, and where to find it."""

    name: str
    """`TIER@VERSION`, `TIER` (its best version), or the path of a package folder."""
    url: str | None = None
    """The Git repository of a release."""
    settings: Path | None = None
    """DVC settings for the clone: another bucket, credentials."""
    trusted_keys: Path | None = None
    also: tuple[Path, ...] = ()
    """Additional sources of objects: clones, caches, archives."""
    params: Path | None = None
    """The `params.yaml` of a package folder that no repository records."""


@dataclass(frozen=True)
class Release:
    """A package with its parameters."""

    name: str
    """The tag, or the folder's name."""
    commit: str | None
    """The commit of the release; None for a package folder."""
    package: Path
    params: Params | None
    """None if the parameters of a package are unknown folder and `require_params` was not asked for."""


def resolve(wanted: Wanted, *, require_params: bool = True) -> Release:
    """The package and its parameters; fetches a release that is not in the cache yet, and verifies it once.

    Raises:
        DataError: there is no such folder or release, or the parameters of a package are unknown.
        ConfigError: a parameter file is missing or invalid.
        MismatchError: the released model does not verify, or is not the one that its tag records.
        StoreError, GitError: the bucket or the repository cannot be reached.
    """
    # Imported late: with the libraries behind it, NumPy loads, which reads the pinned settings then.
    from gogooku3.serving.parameters import of_package

    folder = Path(wanted.name)
    if folder.is_dir():
        try:
            params = of_package(folder, wanted.params)
        except DataError:
            if require_params:
                raise
            params = None
        return Release(folder.resolve().name, None, folder, params)
    if folder.exists() or wanted.url is None:
        raise DataError(
            f"`{wanted.name}` is not a package folder" + ("" if folder.exists() else ", and no repository is named"),
            hint="name a package folder, such as `models/package`, or a release (`TIER@VERSION`) and its repository"
            " (`--repo URL`, `load(…, repo=URL)`)",
        )
    from gogooku3.serving.fetch import fetched

    return fetched(wanted)


def in_own_process(wanted: Wanted) -> Release:
    """`resolve` in a process of its own: this one pins its numerics before NumPy loads, as the package asks."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool, masked_in_children():
        return pool.submit(_resolve, source.FOLDER, wanted).result()


def _resolve(folder: Path, wanted: Wanted) -> Release:
    source.require_same(folder)
    return resolve(wanted)


def cache_folder() -> Path:
    """The folder of fetched releases: `gogooku3/releases` in the user's cache folder (XDG base directories)."""
    return _base("XDG_CACHE_HOME", ".cache") / "releases"


def state_folder() -> Path:
    """The folder of what evenings leave for the next one: `gogooku3/score` in the user's state folder."""
    return _base("XDG_STATE_HOME", ".local/state") / "score"


def _base(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / default) / "gogooku3"


def slug(text: str) -> str:
    """A short name of a folder that stands for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def read_metrics(package: Path) -> dict[str, Any]:
    """The metrics of a package of any version: tables by split, `baselines`, details."""
    content = json.loads((package / "metrics.json").read_text(encoding="utf-8"))
    return {name: table_of(part) for name, part in content.items()}
