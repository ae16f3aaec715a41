"""The bucket and the local cache as content-addressed stores, through DVC's own classes: any DVC remote type works.

An object's name is the MD5 of its bytes (`.dir` added where the bytes list a directory's files).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, TypeVar

from aiohttp import ClientTimeout
from dvc_data.hashfile.db import HashFileDB
from dvc_objects.fs.base import ObjectFileSystem
from fsspec.callbacks import Callback

from gogooku3.errors import StoreError, UserError
from gogooku3.recovery.storage.timeouts import STALL_TIMEOUT, TOTAL_TIMEOUT, Requests, SilenceError, capture_client_log

CONNECT_TIMEOUT = 10
"""Seconds that the search for credentials has, and then the bucket for its first answer."""

MIN_UPLOAD_RATE = 1 << 15
"""Bytes per second that an upload may be as slow as: the client tells of its progress in large pieces only."""

READ_ATTEMPTS = 2
"""How often a bucket is asked for an object that is not what its name says: bytes may have changed on the way."""

_BLOCK = 1 << 20
_FOLDERS = 256  # objects lie in folders named by the first two digits of their hash

_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True)
class StoredObject:
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
        self._requests = Requests()
        if odb.fs.protocol == "gs":
            capture_client_log()
            # Without a limit the client waits for ever for a connection that says nothing.
            odb.fs.fs_args["requests_timeout"] = ClientTimeout(sock_connect=STALL_TIMEOUT, sock_read=STALL_TIMEOUT)

    def reach(self) -> None:
        """Raises `StoreError` where a bucket gives no answer within `CONNECT_TIMEOUT` seconds, or does not exist."""
        if not self._is_bucket:
            return
        with self._asking():
            try:
                self._connect()
            except SilenceError as error:
                raise StoreError(
                    f"no credentials for `{self.name}` were found in {CONNECT_TIMEOUT} s",
                    hint="run `gcloud auth application-default login`, or name a key file: "
                    "`dvc remote modify --local REMOTE credentialpath FILE`",
                ) from error
            # A folder that is not there is fine as long as its bucket is.
            self._requests.call(lambda _: self._fs.fs._find(f"{self._odb.path}/00/"), CONNECT_TIMEOUT)

    def look_up(self, oids: Collection[str]) -> dict[str, StoredObject]:
        """What the store says of each object that it has, without handing any of them out."""
        if not oids:
            return {}
        with self._asking():
            self._fs.fs.invalidate_cache()  # some clients answer a second listing from memory
            return self._listed(oids) if self._is_bucket else self._asked(oids)

    def read(self, oid: str) -> bytes | None:
        """A small object's bytes; None where it is not there."""
        with self._asking(), suppress(FileNotFoundError), self._opened(oid) as stream:
            return stream.read()
        return None

    def digest(self, oid: str, sink: BinaryIO | None = None) -> StoredObject | None:
        """Reads a whole object, block by block, into `sink` if there is one; None where it is not there."""
        with self._asking(), suppress(FileNotFoundError), self._opened(oid) as stream:
            return _digest(stream, sink)
        return None

    def put(self, oid: str, file: Path) -> None:
        """Puts a file in an object's place; readers find the old object or the new one, never a part."""
        path = self._odb.oid_to_path(oid)
        with self._asking():
            if self._is_bucket:
                patience = TOTAL_TIMEOUT + file.stat().st_size / MIN_UPLOAD_RATE
                self._requests.call(lambda pulse: self._fs.fs._put_file(str(file), path, callback=pulse), patience)
            else:
                self._fs.makedirs(self._fs.parent(path), exist_ok=True)
                self._fs.put_file(str(file), path)
            self._odb.protect(path)  # type: ignore[no-untyped-call]

    def each(self, work: Callable[[_T], _R], items: Iterable[_T]) -> Iterator[_R]:
        """Applies `work` to all items, in order, as many at once as DVC would use for this store (`jobs`)."""
        with ThreadPoolExecutor(max_workers=self._fs.jobs) as pool:
            yield from pool.map(work, items)

    def _connect(self) -> None:
        """Makes the client, which DVC makes when it is first asked for."""
        if self._fs.protocol == "gs":  # it searches for credentials, for as long as that takes
            self._requests.call(self._client, CONNECT_TIMEOUT)
        else:  # such as S3's, which waits for the loop that it would be made in
            _ = self._fs.fs

    async def _client(self, _: Callback) -> Any:
        return self._fs.fs

    @contextmanager
    def _opened(self, oid: str) -> Iterator[BinaryIO]:
        """An object's bytes; those of a bucket are brought here first, as its client begins again where it must."""
        path = self._odb.oid_to_path(oid)
        if not self._is_bucket:
            with self._fs.open(path, "rb") as stream:
                yield stream
            return
        with TemporaryDirectory() as folder:
            copy = Path(folder) / "object"
            for _ in range(READ_ATTEMPTS):
                self._requests.call(lambda pulse: self._fs.fs._get_file(path, str(copy), callback=pulse), TOTAL_TIMEOUT)
                with copy.open("rb") as stream:
                    if _digest(stream).md5 == oid.removesuffix(".dir"):
                        break
            with copy.open("rb") as stream:
                yield stream

    def _listed(self, oids: Collection[str]) -> dict[str, StoredObject]:
        """By listing those that begin with the same digits: as many digits as make it the fewest pages in a row.

        How many objects there are is foretold by how many of them begin with the same two digits.
        """
        found = self._list(min(oids)[:2])
        objects, page = len(found) * _FOLDERS, int(self._fs.LIST_OBJECT_PAGE_SIZE)

        def pages(digits: int) -> int:
            return objects // (page << 4 * digits) + 1

        def pages_in_a_row(digits: int) -> int:
            parts = len({oid[:digits] for oid in oids})
            return -(-parts // int(self._fs.jobs)) * pages(digits)

        digits = min((2, 1, 0), key=pages_in_a_row)
        prefixes = sorted({oid[:digits] for oid in oids} - {min(oids)[:2]})
        for more in self.each(lambda prefix: self._list(prefix, pages(digits)), prefixes):
            found |= more
        paths = {oid: self._odb.oid_to_path(oid) for oid in oids}
        return {oid: _held(found[path]) for oid, path in paths.items() if path in found}

    def _list(self, prefix: str, pages: int = 1) -> dict[str, dict[str, Any]]:
        """Objects whose names begin with some digits; every page is waited for a second longer."""
        folder, start = (f"{self._odb.path}/{prefix}/", "") if len(prefix) == 2 else (self._odb.path, prefix)
        with suppress(FileNotFoundError):
            found: dict[str, dict[str, Any]] = self._requests.call(
                lambda _: self._fs.fs._find(folder, prefix=start, detail=True), TOTAL_TIMEOUT + pages
            )
            return found
        return {}

    def _asked(self, oids: Collection[str]) -> dict[str, StoredObject]:
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
        except SilenceError as error:
            raise StoreError(
                f"`{self.name}` gives {error}",
                hint="check the network, the remote's `url` and `endpointurl`, and your credentials "
                "(`gcloud auth application-default login`)",
            ) from error
        except Exception as error:
            raise client_error(self.name, error) from error


def _digest(stream: BinaryIO, sink: BinaryIO | None = None) -> StoredObject:
    md5, size = hashlib.md5(usedforsecurity=False), 0
    while block := stream.read(_BLOCK):
        md5.update(block)
        size += len(block)
        if sink is not None:
            sink.write(block)
    return StoredObject(size, md5.hexdigest())


def _held(info: dict[str, Any]) -> StoredObject:
    """Google's bucket gives the MD5 of what it holds; other types give none, or what the uploader claimed."""
    size, md5 = info.get("size"), info.get("md5Hash")
    return StoredObject(None if size is None else int(size), base64.b64decode(md5).hex() if md5 else None)


def client_error(name: str, error: Exception) -> StoreError:
    """What a client of a remote raised, in one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return StoreError(
        f"`{name}` cannot be used: {text}",
        hint="check the remote's `url` and `endpointurl`, that your credentials are valid "
        "(`gcloud auth application-default login`) and that they may read and write there",
    )
