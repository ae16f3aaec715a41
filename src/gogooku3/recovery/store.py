"""The bucket and the local cache as content-addressed stores, through DVC's own classes: any DVC remote type works.

An object's name is the MD5 of its bytes (`.dir` added where the bytes list a directory's files).
"""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from dvc.config import ConfigError
from dvc.exceptions import DvcException
from dvc.fs import LocalFileSystem
from dvc.repo import Repo
from dvc_data.hashfile.db import HashFileDB, get_odb
from dvc_objects.fs.base import ObjectFileSystem
from fsspec.asyn import sync

from gogooku3.errors import DataError, StoreError, UserError

ANSWER_WITHIN = 10
"""Seconds that a bucket has for its first answer. Its client would go on trying for much longer, and has by then spent
up to 15 s in search of credentials."""

_BLOCK = 1 << 20
_FOLDERS = 256  # objects lie in folders named by the first two digits of their hash

_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True)
class Held:
    """An object's size in bytes and the MD5 of its bytes in hexadecimal; None is what the store does not say."""

    size: int | None
    md5: str | None


class Store:
    """Objects under their hashes. What goes wrong on the way to them is a `StoreError`."""

    def __init__(self, odb: HashFileDB, name: str) -> None:
        self.name = name
        self._odb = odb
        self._fs = odb.fs
        self._is_bucket = isinstance(odb.fs, ObjectFileSystem)

    def reach(self) -> None:
        """Raises `StoreError` where a bucket gives no answer within `ANSWER_WITHIN` seconds, or does not exist."""
        if not self._is_bucket:
            return
        with self._asking(), _overheard("gcsfs") as heard:
            try:
                self._list_folder(self._odb.path)
            except TimeoutError as error:
                raise StoreError(
                    f"`{self.name}` gives no answer in {ANSWER_WITHIN} s{heard.last_words()}",
                    hint="check the network, the remote's `url` and `endpointurl`, and your credentials "
                    "(`gcloud auth application-default login`)",
                ) from error

    def look_up(self, oids: Collection[str]) -> dict[str, Held]:
        """What the store says of each object that it has, without handing any of them out."""
        if not oids:
            return {}
        with self._asking():
            self._fs.fs.invalidate_cache()  # some clients answer a second listing from memory
            return self._listed(oids) if self._is_bucket else self._asked(oids)

    def read(self, oid: str) -> bytes | None:
        """A small object's bytes; None where it is not there."""
        with self._asking(), suppress(FileNotFoundError):
            return bytes(self._fs.cat_file(self._odb.oid_to_path(oid)))
        return None

    def digest(self, oid: str, sink: BinaryIO | None = None) -> Held | None:
        """Reads a whole object, block by block, into `sink` if there is one; None where it is not there."""
        md5, size = hashlib.md5(usedforsecurity=False), 0
        with self._asking(), suppress(FileNotFoundError), self._fs.open(self._odb.oid_to_path(oid), "rb") as stream:
            while block := stream.read(_BLOCK):
                md5.update(block)
                size += len(block)
                if sink is not None:
                    sink.write(block)
            return Held(size, md5.hexdigest())
        return None

    def put(self, oid: str, file: Path) -> None:
        """Puts a file in an object's place; readers find the old object or the new one, never a part."""
        path = self._odb.oid_to_path(oid)
        with self._asking():
            self._fs.makedirs(self._fs.parent(path), exist_ok=True)
            self._fs.put_file(str(file), path)
            self._odb.protect(path)  # type: ignore[no-untyped-call]

    def each(self, work: Callable[[_T], _R], items: Iterable[_T]) -> Iterator[_R]:
        """Applies `work` to all items, in order, as many at once as DVC would use for this store (`jobs`)."""
        with ThreadPoolExecutor(max_workers=self._fs.jobs) as pool:
            yield from pool.map(work, items)

    def _list_folder(self, path: str) -> None:
        """Asks for a folder; one that is not there is fine as long as its bucket is."""
        fs = self._fs.fs
        try:
            sync(fs.loop, fs._ls, path, detail=False, timeout=ANSWER_WITHIN)
        except FileNotFoundError:
            bucket = path.lstrip("/").split("/")[0]
            sync(fs.loop, fs._ls, bucket, detail=False, timeout=ANSWER_WITHIN)

    def _listed(self, oids: Collection[str]) -> dict[str, Held]:
        """By listing: folder by folder or all at once, whichever the first folder foretells to be fewer requests."""
        first, *others = sorted({oid[:2] for oid in oids})
        found = self._list(self._fs.join(self._odb.path, first))
        pages_of_all = len(found) * _FOLDERS // self._fs.LIST_OBJECT_PAGE_SIZE + 1
        if pages_of_all < len(others):
            found = self._list(self._odb.path)
        else:
            for more in self.each(lambda folder: self._list(self._fs.join(self._odb.path, folder)), others):
                found |= more
        paths = {oid: self._odb.oid_to_path(oid) for oid in oids}
        return {oid: _held(found[path]) for oid, path in paths.items() if path in found}

    def _list(self, path: str) -> dict[str, dict[str, Any]]:
        with suppress(FileNotFoundError):
            return dict(self._fs.fs.find(f"{path}/", detail=True))
        return {}

    def _asked(self, oids: Collection[str]) -> dict[str, Held]:
        """Object by object, where listing is slow or impossible."""
        order = sorted(oids)
        infos = self._fs.info([self._odb.oid_to_path(oid) for oid in order], return_exceptions=True)
        for info in infos:
            if isinstance(info, Exception) and not isinstance(info, FileNotFoundError):
                raise info
        return {oid: _held(info) for oid, info in zip(order, infos, strict=True) if not isinstance(info, Exception)}

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Every remote type brings exceptions of its own family: what is not ours or an absence becomes one line."""
        try:
            yield
        except (UserError, FileNotFoundError):
            raise
        except Exception as error:
            raise _failed(self.name, error) from error


def open_remote(root: Path, remote: str | None = None) -> Store:
    """A remote of the repository in `root` by its name, or the default one, checked to be there.

    Raises `StoreError` where none is configured, or it cannot be reached.
    """
    # Its clients log every failure with a traceback before they raise it.
    logging.getLogger("gcsfs").addHandler(logging.NullHandler())
    name = "the default remote" if remote is None else remote
    with _repo(root) as repo:
        try:
            found = repo.cloud.get_remote(remote)
            name = str(found.fs.unstrip_protocol(found.path))
            store = Store(repo.cloud.get_remote_odb(remote), name)
            if found.fs.protocol == "local" and not Path(found.path).is_dir():
                raise FileNotFoundError(found.path)
            store.reach()
        except UserError:
            raise
        except ConfigError as error:
            raise StoreError(
                f"no remote to use in `{root}`: {str(error).splitlines()[0]}",
                hint="run `dvc remote add -d store gs://BUCKET/PATH`",
            ) from error
        except FileNotFoundError as error:
            raise StoreError(
                f"`{name}` does not exist", hint="create it, or correct the remote's `url` in `.dvc/config`"
            ) from error
        except Exception as error:  # of the client's own family; it also reads the credentials
            raise _failed(name, error) from error
    return store


def remotes(root: Path) -> list[str]:
    """Names of the remotes of the repository in `root`, the default one first."""
    with _repo(root) as repo:
        default = repo.config["core"].get("remote")
        return sorted(repo.config["remote"], key=lambda name: (name != default, name))


def open_cache(root: Path) -> Store:
    """The local cache of the repository in `root`; it may be empty."""
    with _repo(root) as repo:
        return Store(repo.cache.local, str(repo.cache.local.path))


def open_folder(folder: Path) -> Store:
    """A folder that is laid out as a local cache or as a remote."""
    odb = get_odb(LocalFileSystem(), str(folder / "files" / "md5"), hash_name="md5")  # type: ignore[no-untyped-call]
    return Store(odb, str(folder))


@contextmanager
def _repo(root: Path) -> Iterator[Repo]:
    try:
        with Repo(str(root)) as repo:
            yield repo
    except DvcException as error:
        raise DataError(f"`{root}` cannot be read: {error}", hint="run this in a repository with DVC") from error


def _held(info: dict[str, Any]) -> Held:
    """Google's bucket gives the MD5 of what it holds; other types give none, or what the uploader claimed."""
    size, md5 = info.get("size"), info.get("md5Hash")
    return Held(None if size is None else int(size), base64.b64decode(md5).hex() if md5 else None)


def _failed(name: str, error: Exception) -> StoreError:
    text = " ".join(str(error).split()) or type(error).__name__
    return StoreError(
        f"`{name}` cannot be used: {text}",
        hint="check the remote's `url` and `endpointurl`, that your credentials are valid "
        "(`gcloud auth application-default login`) and that they may read and write there",
    )


class _Listener(logging.Handler):
    """Remembers why a client that keeps trying has failed so far."""

    _mark = "retrying after exception: "

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._words = ""

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if self._mark in message:
            self._words = " ".join(message.split(self._mark, 1)[1].split())

    def last_words(self) -> str:
        return f": {self._words}" if self._words else ""


@contextmanager
def _overheard(name: str) -> Iterator[_Listener]:
    logger, listener = logging.getLogger(name), _Listener()
    level = logger.level
    logger.addHandler(listener)
    logger.setLevel(logging.DEBUG)
    try:
        yield listener
    finally:
        logger.setLevel(level)
        logger.removeHandler(listener)
