"""Pulls outputs into a working tree, each object from the first source with an intact copy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo

from gogooku3.errors import DataError, StoreError
from gogooku3.recovery.moved import with_present_remote
from gogooku3.recovery.sources import open_sources
from gogooku3.recovery.storage.failures import machine_errors
from gogooku3.recovery.storage.fetch import FetchResult, fetch
from gogooku3.recovery.storage.lock import Output
from gogooku3.recovery.storage.open import open_cache
from gogooku3.recovery.storage.scan import Progress


def pull(
    root: Path,
    outs: Sequence[Output],
    also: Sequence[Path] = (),
    progress: Progress = lambda _what, _done, _total: None,
) -> FetchResult:
    """Fetches outputs into the local cache, hashed on the way, and checks them out into the working tree.

    Args:
        also: additional sources for objects that the remotes lack: clones, caches, archives.

    Raises:
        DataError: no source has an intact copy of some objects; fetched objects stay in the cache, and the working tree
            is not changed.
        StoreError: a remote cannot be used, and no other source has the missing objects.
    """
    try:
        with open_sources(root, also) as sources:
            fetched = fetch(open_cache(root), sources, outs, progress)
    except StoreError as error:
        raise with_present_remote(root, error) from error
    fetched.require_complete()
    checkout(root, outs)
    return fetched


def checkout(root: Path, outs: Sequence[Output]) -> None:
    """Checks outputs out of the local cache into the working tree, overwriting what exists there.

    Raises:
        DataError: a link leads out of the working tree, or DVC fails.
        MachineError: the disk is full.
    """
    for output in outs:
        if not (root / output.path).parent.resolve().is_relative_to(root.resolve()):
            raise DataError(
                f"the path `{output.path}` leads out of the repository through a link",
                hint="remove the link; if the link is part of the revision, do not trust the revision",
            )
    try:
        with machine_errors(root), Repo(str(root)) as repo:
            repo.checkout([str(root / output.path) for output in outs], force=True)
    except DvcException as error:
        raise DataError(f"`dvc checkout` fails in `{root}`: {error}", hint="run the same command again") from error
