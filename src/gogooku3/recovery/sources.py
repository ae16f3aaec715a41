"""Where the objects of a repository may be: its remotes, and what else a user names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from gogooku3.errors import DataError, StoreError
from gogooku3.recovery.archive.read import opened
from gogooku3.recovery.storage.open import open_cache, open_folder, open_remote, remotes
from gogooku3.recovery.storage.store import Store


@contextmanager
def open_sources(root: Path, also: Sequence[Path] = ()) -> Iterator[Iterator[Store]]:
    """Stores to look in, each opened when its turn comes: the default remote, the other remotes, then `also`.

    Of `also`, a file is an archive, a folder with `.dvc` a clone whose cache is meant, any other folder a cache or a
    remote. When all were asked, the first remote that could not be reached is raised as the `StoreError` that it was:
    what is still missing then may be there.

    Raises:
        DataError: one of `also` is none of these; nothing was asked then.
    """
    for place in also:
        _require_place(place)
    with ExitStack() as stack:
        yield _each(root, also, stack)


def _each(root: Path, also: Sequence[Path], stack: ExitStack) -> Iterator[Store]:
    unreachable: list[StoreError] = []
    for remote in remotes(root):
        try:
            yield open_remote(root, remote)
        except StoreError as error:
            unreachable.append(error)
    for place in also:
        if place.is_file():
            yield open_folder(stack.enter_context(opened(place)), name=str(place))
        else:
            yield open_cache(place) if (place / ".dvc").is_dir() else open_folder(place)
    if unreachable:
        raise unreachable[0]


def _require_place(place: Path) -> None:
    if not place.exists():
        raise DataError(f"`{place}` is not there", hint="name a clone, a DVC cache or remote folder, or an archive")
    if place.is_dir() and not any((place / sign).is_dir() for sign in (".dvc", "files/md5")):
        raise DataError(
            f"`{place}` is neither a clone with DVC (`.dvc`) nor a cache or remote folder (`files/md5`)",
            hint="a clone's cache is `CLONE/.dvc/cache`; naming the clone will do",
        )
