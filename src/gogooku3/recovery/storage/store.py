"""Content-addressed stores (remote bucket, local cache) on DVC's own classes: every DVC remote type works.

An object's name is the MD5 of its bytes, its checksum; `.dir` is added to the name of a directory's listing.
"""

from __future__ import annotations

import base64
import hashlib
import socket
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, TypeVar
from urllib.parse import urlsplit

from aiohttp import ClientTimeout
from dvc_data.hashfile.db import HashFileDB
from dvc_objects.fs.base import ObjectFileSystem
from fsspec.callbacks import Callback

from gogooku3.errors import StoreError, UserError
from gogooku3.recovery.storage.settings import without_password
from gogooku3.recovery.storage.timeouts import STALL_TIMEOUT, TOTAL_TIMEOUT, Requests, StallError, capture_client_log

CONNECT_TIMEOUT = 10
"""Seconds for the search for credentials, and again for the bucket's first response."""

MIN_UPLOAD_RATE = 1 << 15
"""Lowest accepted upload rate in bytes per second: the client reports progress in large chunks only."""

READ_ATTEMPTS = 2
"""Downloads of an object whose MD5 is wrong before it counts as damaged: bytes may change in transfer."""

_BLOCK = 1 << 20
_FOLDERS = 256  # objects are in folders named by the first two digits of their hash

_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True)
class StoredObject:
    """An object's size in bytes and its MD5 in hexadecimal; None if the store does not report it."""

    size: int | None
    md5: str | None


class Store:
    """Objects by hash. Every failure to access them is a `StoreError`."""

    def __init__(self, odb: HashFileDB, name: str) -> None:
        self.name = name
        self._odb = odb
        self._fs = odb.fs
        self._is_bucket = isinstance(odb.fs, ObjectFileSystem)
        self._requests = Requests()
        if odb.fs.protocol == "gs":
            capture_client_log()
            # Without a timeout the client waits forever on a silent connection.
            odb.fs.fs_args["requests_timeout"] = ClientTimeout(sock_connect=STALL_TIMEOUT, sock_read=STALL_TIMEOUT)

    def connect(self) -> None:
        """Raises `StoreError` if a remote does not respond within `CONNECT_TIMEOUT` seconds, or a bucket is missing."""
        if not self._is_bucket:
            with self._client_errors():
                self._require_listening()
            return
        with self._client_errors():
            try:
                self._make_client()
            except StallError as error:
                raise StoreError(
                    f"no credentials for `{self.name}` were found in {CONNECT_TIMEOUT} s",
                    hint="run `gcloud auth application-default login`, or name a key file: "
                    "`dvc remote modify --local REMOTE credentialpath FILE`",
                ) from error
            # A missing folder is fine if its bucket exists.
            self._requests.call(lambda _: self._fs.fs._find(f"{self._odb.path}/00/"), CONNECT_TIMEOUT)

    def _require_listening(self) -> None:
        """Connects to the host of a web server: its client reports an unreachable host as a missing object."""
        address = urlsplit(self.name)
        port = {"http": 80, "https": 443, "webdav": 80, "webdavs": 443}.get(address.scheme)
        if port is not None and address.hostname:
            socket.create_connection((address.hostname, address.port or port), CONNECT_TIMEOUT).close()

    def look_up(self, oids: Collection[str]) -> dict[str, StoredObject]:
        """Size and MD5, as the store reports them, of each object that exists; nothing is downloaded."""
        if not oids:
            return {}
        with self._client_errors():
            self._fs.fs.invalidate_cache()  # some clients cache listings
            return self._from_listings(oids) if self._is_bucket else self._one_by_one(oids)

    def read(self, oid: str) -> bytes | None:
        """A small object's bytes; None if it does not exist."""
        with self._client_errors(), suppress(FileNotFoundError), self._opened(oid) as stream:
            return stream.read()
        return None

    def digest(self, oid: str, sink: BinaryIO | None = None) -> StoredObject | None:
        """Hashes an object block by block and copies it into `sink`; None if it does not exist."""
        with self._client_errors(), suppress(FileNotFoundError), self._opened(oid) as stream:
            return _digest(stream, sink)
        return None

    def put(self, oid: str, file: Path) -> None:
        """Writes a file as an object, atomically: readers find the old object or the new one, never a part."""
        path = self._odb.oid_to_path(oid)
        with self._client_errors():
            if self._is_bucket:
                timeout = TOTAL_TIMEOUT + file.stat().st_size / MIN_UPLOAD_RATE
                self._requests.call(lambda callback: self._fs.fs._put_file(str(file), path, callback=callback), timeout)
            else:
                self._fs.makedirs(self._fs.parent(path), exist_ok=True)
                self._fs.put_file(str(file), path)
            self._odb.protect(path)  # type: ignore[no-untyped-call]

    def map_threads(self, work: Callable[[_T], _R], items: Iterable[_T]) -> Iterator[_R]:
        """Applies `work` to all items in a thread pool of the size that DVC uses for this store (`jobs`), in order."""
        with ThreadPoolExecutor(max_workers=self._fs.jobs) as pool:
            yield from pool.map(work, items)

    def _make_client(self) -> None:
        """Makes the client, which DVC otherwise makes on first use."""
        if self._fs.protocol == "gs":  # its search for credentials has no timeout
            self._requests.call(self._client, CONNECT_TIMEOUT)
        else:  # such as S3's, which would block the event loop that makes it
            _ = self._fs.fs

    async def _client(self, _: Callback) -> Any:
        return self._fs.fs

    @contextmanager
    def _opened(self, oid: str) -> Iterator[BinaryIO]:
        """An object's bytes; from a bucket they are downloaded to a file first, since its client may restart."""
        path = self._odb.oid_to_path(oid)
        if not self._is_bucket:
            with self._fs.open(path, "rb") as stream:
                yield stream
            return
        with TemporaryDirectory() as folder:
            copy = Path(folder) / "object"
            for _ in range(READ_ATTEMPTS):
                self._requests.call(
                    lambda callback: self._fs.fs._get_file(path, str(copy), callback=callback), TOTAL_TIMEOUT
                )
                with copy.open("rb") as stream:
                    if _digest(stream).md5 == oid.removesuffix(".dir"):
                        break
            with copy.open("rb") as stream:
                yield stream

    def _from_listings(self, oids: Collection[str]) -> dict[str, StoredObject]:
        """Lists the bucket by prefix, with the prefix length that needs the fewest sequential pages.

        The total number of objects is estimated from the number with one two-digit prefix.
        """
        infos = self._list(min(oids)[:2])
        objects, page = len(infos) * _FOLDERS, int(self._fs.LIST_OBJECT_PAGE_SIZE)

        def pages(digits: int) -> int:
            return objects // (page << 4 * digits) + 1

        def sequential_pages(digits: int) -> int:
            parts = len({oid[:digits] for oid in oids})
            return -(-parts // int(self._fs.jobs)) * pages(digits)

        digits = min((2, 1, 0), key=sequential_pages)
        prefixes = sorted({oid[:digits] for oid in oids} - {min(oids)[:2]})
        for more in self.map_threads(lambda prefix: self._list(prefix, pages(digits)), prefixes):
            infos |= more
        paths = {oid: self._odb.oid_to_path(oid) for oid in oids}
        return {oid: _stored(infos[path]) for oid, path in paths.items() if path in infos}

    def _list(self, prefix: str, pages: int = 1) -> dict[str, dict[str, Any]]:
        """Objects with a name prefix; each page adds one second to the timeout."""
        folder, start = (f"{self._odb.path}/{prefix}/", "") if len(prefix) == 2 else (self._odb.path, prefix)
        with suppress(FileNotFoundError):
            infos: dict[str, dict[str, Any]] = self._requests.call(
                lambda _: self._fs.fs._find(folder, prefix=start, detail=True), TOTAL_TIMEOUT + pages
            )
            return infos
        return {}

    def _one_by_one(self, oids: Collection[str]) -> dict[str, StoredObject]:
        """Looks up each object, for stores in which listing is slow or impossible."""
        order = sorted(oids)
        infos = self._fs.info([self._odb.oid_to_path(oid) for oid in order], return_exceptions=True)
        for info in infos:
            if isinstance(info, Exception) and not isinstance(info, FileNotFoundError):
                raise info
        return {oid: _stored(info) for oid, info in zip(order, infos, strict=True) if not isinstance(info, Exception)}

    @contextmanager
    def _client_errors(self) -> Iterator[None]:
        """Turns the exceptions of every remote's client, except missing files and our own, into a `StoreError`."""
        try:
            yield
        except (UserError, FileNotFoundError):
            raise
        except StallError as error:
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


def _stored(info: dict[str, Any]) -> StoredObject:
    """Google's bucket reports the MD5 of the stored bytes; other types report none, or what the uploader claimed."""
    size, md5 = info.get("size"), info.get("md5Hash")
    return StoredObject(None if size is None else int(size), base64.b64decode(md5).hex() if md5 else None)


def client_error(name: str, error: Exception) -> StoreError:
    """An exception of a remote's client as a one-line `StoreError`."""
    text = without_password(" ".join(str(error).split())) or type(error).__name__
    return StoreError(
        f"`{name}` cannot be used: {text}",
        hint="check the remote's `url` and `endpointurl`, that your credentials are valid "
        "(`gcloud auth application-default login`) and that they may read and write there",
    )
