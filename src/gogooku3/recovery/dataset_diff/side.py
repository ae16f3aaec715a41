"""A dataset to be compared: a folder, or what a revision recorded, of which only the files that are asked for are
brought."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from gogooku3 import paths
from gogooku3.dataset.contents import CONTENTS, Contents
from gogooku3.dataset.schema import Schema, read_json
from gogooku3.errors import DataError, GitError
from gogooku3.recovery.releases import git
from gogooku3.recovery.sandbox.workspace import temporary_folder
from gogooku3.recovery.sources import open_sources
from gogooku3.recovery.storage.listing import entries
from gogooku3.recovery.storage.lock import outputs
from gogooku3.recovery.storage.open import open_cache
from gogooku3.recovery.storage.store import Store

_PREFIX = "gogooku3-dataset-diff-"

Files = dict[str, dict[str, int | str]]
"""Rows and hash of each parquet file, by its name in the dataset."""


class Side(Protocol):
    """A dataset whose files can be read one by one."""

    def files(self) -> Files:
        """The table of contents; raises `DataError` where it is absent, broken, or not that of the files."""

    @contextmanager
    def holding(self, name: str) -> Iterator[Path]:
        """A folder that holds a file of the dataset under its name, to be read within the block."""


class Folder:
    """A dataset that lies in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def files(self) -> Files:
        """The table of contents, held against the files that are there."""
        return Contents.read(self._folder).files

    @contextmanager
    def holding(self, name: str) -> Iterator[Path]:
        """The dataset's own folder."""
        yield self._folder


class Recorded:
    """A dataset that a revision recorded, in the local cache or in the remotes; each file is hashed on the way."""

    def __init__(self, listing: Mapping[str, str], stores: Stores, folder: Path) -> None:
        self._listing, self._stores, self._folder = listing, stores, folder

    def files(self) -> Files:
        """The table of contents."""
        with self.holding(CONTENTS) as folder:
            files: Files = read_json(folder / CONTENTS)
        return files

    @contextmanager
    def holding(self, name: str) -> Iterator[Path]:
        """A temporary folder, into which the file is brought."""
        if name not in self._listing:
            raise DataError(f"the dataset in `{self._folder.name}` has no `{name}`", hint="compare another revision")
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stores.bring(self._listing[name], path)
        yield self._folder
        path.unlink()


class Stores:
    """The local cache, then the remotes, each opened when it is first needed."""

    def __init__(self, root: Path, remotes: Iterator[Store]) -> None:
        self._opened = [open_cache(root)]
        self._remotes = remotes

    def bring(self, oid: str, path: Path) -> None:
        """Writes a good copy of an object into a file.

        Raises:
            DataError: nobody has one.
            StoreError: a remote that may have one cannot be reached.
        """
        for store in self._each():
            with path.open("wb") as sink:
                held = store.digest(oid, sink)
            if held is not None and held.md5 == oid.removesuffix(".dir"):
                return
        path.unlink()
        raise DataError(
            f"object {oid} of the dataset is nowhere whole: not in the local cache, not in a remote",
            hint="whoever has it can bring it to the bucket: `gogooku3 audit --repair`",
        )

    def _each(self) -> Iterator[Store]:
        yield from self._opened
        for store in self._remotes:
            self._opened.append(store)
            yield store


@contextmanager
def opened(name: str, here: Path) -> Iterator[Side]:
    """The dataset in a folder, at a revision of the repository around `here`, or in its working tree (`workspace`).

    Raises:
        GitError: the name is neither a folder nor a revision.
        DataError: the revision recorded no dataset, or nobody has its listing whole.
        StoreError: a remote that may have it cannot be reached.
    """
    if (here / name).is_dir():
        yield Folder(here / name)
        return
    try:
        root = git.toplevel(here)
        commit = None if name == git.WORKSPACE else git.commit_of(root, name)
    except GitError as error:
        raise GitError(
            f"`{name}` is neither a folder nor a revision: {error.message}",
            hint="name the folder of a dataset, a tag, a commit or a branch, or `workspace`",
        ) from None
    if commit is None:
        yield Folder(root / paths.DATASET)
        return
    with temporary_folder(_PREFIX) as folder, open_sources(root) as remotes:
        stores = Stores(root, remotes)
        place = folder / "files" / name.replace("/", "-")
        yield Recorded(_listing(root, name, commit, stores, folder / "listing"), stores, place)


def _listing(root: Path, name: str, commit: str, stores: Stores, place: Path) -> dict[str, str]:
    """The objects of a recorded dataset by the names of its files."""
    recorded = next((output for output in outputs(root, commit) if Path(output.path) == paths.DATASET), None)
    if recorded is None:
        raise DataError(
            f"`{name}` recorded no `{paths.DATASET}`", hint="name a revision whose `dvc.lock` has one: `gogooku3 tiers`"
        )
    stores.bring(recorded.md5, place)
    listing = entries(recorded.md5, place.read_bytes())
    if listing is None:
        raise DataError(
            f"the listing of `{paths.DATASET}` at `{name}` ({recorded.md5}) is none",
            hint="trust nothing of this revision",
        )
    return {entry.path: entry.md5 for entry in listing}


def schema(side: Side) -> Schema:
    """The schema of a dataset; raises `DataError` and `MismatchError` as `Schema.read` does."""
    with side.holding("schema.json") as folder:
        return Schema.read(folder / "schema.json")


def document(side: Side, name: str) -> Any:
    """One of a dataset's JSON files; raises `DataError` where it is absent or not JSON."""
    with side.holding(name) as folder:
        return read_json(folder / name)
