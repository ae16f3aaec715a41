"""A side of a comparison: a dataset in a folder, or one that a revision recorded, with its files fetched on demand."""

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
from gogooku3.recovery.storage.failures import ObjectError
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
        """The table of contents; raises `DataError` if it is absent, damaged, or does not match the files."""

    @contextmanager
    def folder_with(self, name: str) -> Iterator[Path]:
        """Context manager for a folder that contains a file of the dataset, to be read within the block."""


class DatasetFolder:
    """A dataset in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def files(self) -> Files:
        """The table of contents, checked against the existing files."""
        return Contents.read(self._folder).files

    @contextmanager
    def folder_with(self, name: str) -> Iterator[Path]:
        """The dataset's own folder."""
        yield self._folder


class RecordedDataset:
    """A dataset that a revision recorded, from the local cache or the remotes; each file is hashed on the way."""

    def __init__(self, listing: Mapping[str, str], stores: Stores, folder: Path) -> None:
        self._listing, self._stores, self._folder = listing, stores, folder

    def files(self) -> Files:
        """The table of contents."""
        with self.folder_with(CONTENTS) as folder:
            files: Files = read_json(folder / CONTENTS)
        return files

    @contextmanager
    def folder_with(self, name: str) -> Iterator[Path]:
        """A temporary folder, into which the file is fetched."""
        if name not in self._listing:
            raise DataError(f"the dataset in `{self._folder.name}` has no `{name}`", hint="compare another revision")
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stores.fetch(self._listing[name], path)
        yield self._folder
        path.unlink()


class Stores:
    """The local cache, then the remotes, each opened on first use."""

    def __init__(self, root: Path, remotes: Iterator[Store]) -> None:
        self._opened = [open_cache(root)]
        self._remotes = remotes

    def fetch(self, oid: str, path: Path) -> None:
        """Writes an intact copy of an object into a file.

        Raises:
            DataError: no store has one.
            StoreError: a copy that may be intact cannot be read, or a remote cannot be reached.
        """
        unreadable: list[ObjectError] = []
        for store in self._each():
            try:
                with path.open("wb") as sink:
                    stored = store.digest(oid, sink)
            except ObjectError as error:
                unreadable.append(error)
                continue
            if stored is not None and stored.md5 == oid.removesuffix(".dir"):
                return
        path.unlink()
        if unreadable:
            raise unreadable[0]
        raise DataError(
            f"neither the local cache nor a remote has an intact copy of object {oid} of the dataset",
            hint="upload it from a clone that has it: `gogooku3 audit --repair`",
        )

    def _each(self) -> Iterator[Store]:
        yield from self._opened
        for store in self._remotes:
            self._opened.append(store)
            yield store


@contextmanager
def open_side(name: str, here: Path) -> Iterator[Side]:
    """Opens the dataset in a folder, at a revision of the repository of `here`, or in its working tree (`workspace`).

    Raises:
        GitError: the name is neither a folder nor a revision.
        DataError: the revision recorded no dataset, or no source has an intact copy of its listing.
        StoreError: a remote that may have it cannot be reached.
    """
    if (here / name).is_dir():
        yield DatasetFolder(here / name)
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
        yield DatasetFolder(root / paths.DATASET)
        return
    with temporary_folder(_PREFIX) as folder, open_sources(root) as remotes:
        stores = Stores(root, remotes)
        files = folder / "files" / name.replace("/", "-")
        yield RecordedDataset(_listing(root, name, commit, stores, folder / "listing"), stores, files)


def _listing(root: Path, name: str, commit: str, stores: Stores, copy: Path) -> dict[str, str]:
    """The objects of a recorded dataset by file name."""
    recorded = next((output for output in outputs(root, commit) if Path(output.path) == paths.DATASET), None)
    if recorded is None:
        raise DataError(
            f"`{name}` recorded no `{paths.DATASET}`", hint="name a revision whose `dvc.lock` has one: `gogooku3 tiers`"
        )
    stores.fetch(recorded.md5, copy)
    listing = entries(recorded.md5, copy.read_bytes())
    if listing is None:
        raise DataError(
            f"the listing of `{paths.DATASET}` at `{name}` ({recorded.md5}) is not valid",
            hint="do not trust this revision",
        )
    return {entry.path: entry.md5 for entry in listing}


def schema(side: Side) -> Schema:
    """The schema of a dataset; raises `DataError` and `MismatchError` as `Schema.read` does."""
    with side.folder_with("schema.json") as folder:
        return Schema.read(folder / "schema.json")


def document(side: Side, name: str) -> Any:
    """One of a dataset's JSON files; raises `DataError` if it is absent or not JSON."""
    with side.folder_with(name) as folder:
        return read_json(folder / name)
