"""Sources of a repository's objects: its remotes, and clones, caches or archives that a user adds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from gogooku3.errors import DataError, StoreError
from gogooku3.recovery.archive.read import extracted_store
from gogooku3.recovery.storage.open import open_cache, open_folder, open_remote, remotes
from gogooku3.recovery.storage.store import Store


@contextmanager
def open_sources(root: Path, also: Sequence[Path] = ()) -> Iterator[Iterator[Store]]:
    """Yields an iterator over stores, each opened when it is reached: the default remote, other remotes, then `also`.

    In `also`, a file is an archive, a folder with `.dvc` is a clone (its cache is used), and any other folder is a
    cache or a remote. After the last store, the iterator raises the first error of a remote or of one of `also` that
    could not be opened, if there is one: objects that are still missing may be there.

    Raises:
        DataError: a path in `also` is none of these; no store was opened.
    """
    for path in also:
        _require_source(path)
    with ExitStack() as stack:
        yield _each(root, also, stack)


def _each(root: Path, also: Sequence[Path], stack: ExitStack) -> Iterator[Store]:
    unusable: list[StoreError | DataError] = []
    openers = [partial(open_remote, root, remote) for remote in remotes(root)]
    openers += [partial(_open_also, path, stack) for path in also]
    for open_store in openers:
        try:
            store = open_store()
        except (StoreError, DataError) as error:
            unusable.append(error)
        else:
            yield store
    if unusable:
        raise unusable[0]


def _open_also(path: Path, stack: ExitStack) -> Store:
    if path.is_file():
        return open_folder(stack.enter_context(extracted_store(path)), name=str(path))
    return open_cache(path) if (path / ".dvc").is_dir() else open_folder(path)


def _require_source(path: Path) -> None:
    if not path.exists():
        raise DataError(f"`{path}` does not exist", hint="name a clone, a DVC cache or remote folder, or an archive")
    if path.is_dir() and not any((path / marker).is_dir() for marker in (".dvc", "files/md5")):
        raise DataError(
            f"`{path}` is neither a clone with DVC (`.dvc`) nor a cache or remote folder (`files/md5`)",
            hint="name the clone itself, or its cache `CLONE/.dvc/cache`",
        )
