"""Brings outputs into a working tree, from wherever they are whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo

from gogooku3.errors import DataError
from gogooku3.recovery.sources import open_sources
from gogooku3.recovery.storage.fetch import Fetched, fetch
from gogooku3.recovery.storage.lock import Output
from gogooku3.recovery.storage.open import open_cache
from gogooku3.recovery.storage.scan import Progress


def pull(
    root: Path,
    outs: Sequence[Output],
    also: Sequence[Path] = (),
    progress: Progress = lambda _what, _done, _total: None,
) -> Fetched:
    """Fills the local cache of a repository with outputs, hashed on the way, and puts them into the working tree.

    Args:
        also: further places for objects that the remotes lack: clones, caches, archives.

    Raises:
        DataError: nobody has all of them whole; what was brought stays in the cache, the working tree as it was.
        StoreError: a remote cannot be used, and no other place has what is missing.
    """
    with open_sources(root, also) as sources:
        fetched = fetch(open_cache(root), sources, outs, progress)
    fetched.require_whole()
    checkout(root, outs)
    return fetched


def checkout(root: Path, outs: Sequence[Output]) -> None:
    """Puts outputs from the local cache into the working tree, whatever lies in their places.

    Raises `DataError` where a link leads out of the working tree, or DVC fails.
    """
    for output in outs:
        if not (root / output.path).parent.resolve().is_relative_to(root.resolve()):
            raise DataError(
                f"the way to `{output.path}` leads out of the repository through a link",
                hint="remove the link; where the revision itself holds it, trust nothing of it",
            )
    try:
        with Repo(str(root)) as repo:
            repo.checkout([str(root / output.path) for output in outs], force=True)
    except DvcException as error:
        raise DataError(f"`dvc checkout` fails in `{root}`: {error}", hint="run the same command again") from error
