"""Sources of a repository's objects: its remotes, and clones, caches or archives that a user adds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from gogooku3.errors import DataError, StoreError
from gogooku3.recovery.archive.read import extracted_store
from gogooku3.recovery.storage.open import open_cache, open_folder, open_remote, remotes
from gogooku3.recovery.storage.store import Store


@contextmanager
def open_sources(root: Path, also: Sequence[Path] = ()) -> Iterator[Iterator[Store]]:
    """Yields an iterator over stores, each opened when it is reached: the default remote, other remotes, then `also`.

    In `also`, a file is an archive, a folder with `.dvc` is a clone (its cache is used), and any other folder is a
    cache or a remote. After the last store, the iterator raises the first remote's `StoreError`, if a remote was
    unreachable: objects that are still missing may be there.

    Raises:
        DataError: a path in `also` is none of these; no store was opened.
    """
    for path in also:
        _require_source(path)
    with ExitStack() as stack:
        yield _each(root, also, stack)


def _each(root: Path, also: Sequence[Path], stack: ExitStack) -> Iterator[Store]:
    unreachable: list[StoreError] = []
    for remote in remotes(root):
        try:
            yield open_remote(root, remote)
        except StoreError as error:
            unreachable.append(error)
    for path in also:
        if path.is_file():
            yield open_folder(stack.enter_context(extracted_store(path)), name=str(path))
        else:
            yield open_cache(path) if (path / ".dvc").is_dir() else open_folder(path)
    if unreachable:
        raise unreachable[0]


def _require_source(path: Path) -> None:
    if not path.exists():
        raise DataError(f"`{path}` does not exist", hint="name a clone, a DVC cache or remote folder, or an archive")
    if path.is_dir() and not any((path / marker).is_dir() for marker in (".dvc", "files/md5")):
        raise DataError(
            f"`{path}` is neither a clone with DVC (`.dvc`) nor a cache or remote folder (`files/md5`)",
            hint="name the clone itself, or its cache `CLONE/.dvc/cache`",
        )
