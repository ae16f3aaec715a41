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
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, TypeVar
from urllib.parse import urlsplit

from aiohttp import ClientTimeout
from dvc_data.hashfile.db import HashFileDB, get_odb
from dvc_objects.fs.base import ObjectFileSystem
from fsspec.callbacks import Callback

from gogooku3.errors import StoreError, UserError, filesystem_error
from gogooku3.recovery.storage import local
from gogooku3.recovery.storage.failures import (
    ObjectError,
    machine_error,
    missing_store,
    object_error,
    require_store,
    store_error,
)
from gogooku3.recovery.storage.timeouts import STALL_TIMEOUT, TOTAL_TIMEOUT, Requests, StallError, capture_client_log
from gogooku3.runtime.faults import writing as naming_file

CONNECT_TIMEOUT = 10
"""Seconds for the search for credentials, and again for the bucket's first response."""

PROBE_TIMEOUT = 6
"""Seconds for a response of a store that failed for one object: without one, the whole store has failed."""

MIN_UPLOAD_RATE = 1 << 15
"""Lowest accepted upload rate in bytes per second: the client reports progress in large chunks only."""

READ_ATTEMPTS = 2
"""Downloads of an object whose MD5 is wrong before it counts as damaged: bytes may change in transfer."""

_DVC_OBJECTS = "files/md5"
"""The folder of DVC's objects in a cache or remote."""
_BLOCK = 1 << 20
_MANY = 8  # failures without a success, in as many folders, after which no further object is requested
_ABSENT = "0" * 32  # no object has this name
_FOLDERS = 256  # objects are in folders named by the first two digits of their hash

_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True)
class StoredObject:
    """An object's size in bytes and its MD5 in hexadecimal; None if the store does not report it."""

    size: int | None
    md5: str | None


class _Named(HashFileDB):
    """Files under their own names."""

    def _oid_parts(self, oid: str) -> tuple[str, str]:
        return "", oid


class Store:
    """Objects by hash. A failure to access one object is an `ObjectError`; one of the whole store, a `StoreError`."""

    def __init__(self, odb: HashFileDB, name: str, folder: Path | None = None) -> None:
        """`folder` must exist for the store to be usable; None for a cache, which may be empty, and for a URL."""
        self.name = name
        self._odb = odb
        self._fs = odb.fs
        self._folder = folder
        self._is_local = odb.fs.protocol == "local"
        self._is_web = odb.fs.protocol in ("http", "https")
        self.has_listings = isinstance(odb.fs, ObjectFileSystem)
        """Whether it is a bucket: its objects can be listed."""
        self._is_async = self._is_web or self.has_listings
        self._requests = Requests()
        self._witness = _ABSENT
        # Without a timeout these clients wait for minutes, or forever, on a silent connection.
        if odb.fs.protocol == "gs":
            capture_client_log()
            odb.fs.fs_args["requests_timeout"] = ClientTimeout(sock_connect=STALL_TIMEOUT, sock_read=STALL_TIMEOUT)
            odb.fs.fs_args["session_kwargs"] |= {"trace_configs": [self._requests.page_trace()]}
        elif self._is_web:
            odb.fs.fs_args["client_kwargs"] |= {"connect_timeout": STALL_TIMEOUT, "read_timeout": STALL_TIMEOUT}

    def beside(self, folder: str, *, named: bool = False) -> Store:
        """Objects in a folder next to those of DVC's, which `dvc gc` neither lists nor deletes; same client.

        Args:
            named: its files have names of their own instead of hashes; `look_up` does not find them.
        """
        other = copy(self)
        path = f"{self._odb.path.removesuffix(_DVC_OBJECTS)}{folder}"
        make = _Named if named else get_odb
        other._odb = make(self._fs, path, hash_name="md5")
        other._witness = _ABSENT
        return other

    def connect(self) -> None:
        """Checks that the store can be used.

        Raises `StoreError` if a remote does not respond within `CONNECT_TIMEOUT` seconds, or a bucket or folder is
        missing.
        """
        with self._client_errors():
            try:
                self._make_client()
            except StallError as error:
                raise StoreError(
                    f"no credentials for `{self.name}` were found in {CONNECT_TIMEOUT} s",
                    hint="run `gcloud auth application-default login`, or name a key file: "
                    "`dvc remote modify --local REMOTE credentialpath FILE`",
                ) from error
            try:
                self._probe(CONNECT_TIMEOUT)
            except FileNotFoundError as error:
                raise missing_store(self.name) from error

    def _probe(self, timeout: float) -> None:
        """Raises an exception of any type if the store does not answer."""
        if self._is_local:
            local.probe(self._odb.path, self._folder)
        elif self.has_listings:
            # A missing folder is fine if its bucket exists.
            self._requests.call(lambda _: self._fs.fs._find(f"{self._odb.path}/00/"), timeout)
        elif self._is_web:
            self._requests.call(self._request_witness, timeout)
        else:
            self._require_listening()

    async def _request_witness(self, _: Callback) -> None:
        """Requests an object that was read before, or one that cannot exist.

        Some servers answer 403 for an object that does not exist.
        """
        session = await self._fs.fs.set_session()
        async with session.get(self._fs.fs.encode_url(self._odb.oid_to_path(self._witness))) as response:
            if self._witness != _ABSENT or response.status not in (403, 404):
                response.raise_for_status()

    def _require_listening(self) -> None:
        """Connects to the host of a web server: its client reports an unreachable host as a missing object."""
        address = urlsplit(self.name)
        port = {"webdav": 80, "webdavs": 443}.get(address.scheme)
        if port is not None and address.hostname:
            socket.create_connection((address.hostname, address.port or port), CONNECT_TIMEOUT).close()

    def look_up(self, oids: Collection[str]) -> dict[str, StoredObject]:
        """Size and MD5, as a bucket's listings report them, of each object that exists; nothing is downloaded."""
        if not oids:
            return {}
        with self._client_errors():
            self._fs.fs.invalidate_cache()  # some clients cache listings
            return self._from_listings(oids)

    def file(self, oid: str) -> Path:
        """The file of an object in a local store, whether it exists or not."""
        return Path(self._odb.oid_to_path(oid))

    def read(self, oid: str) -> bytes | None:
        """A small object's bytes; None if it does not exist."""
        with self._object_errors(oid), suppress(FileNotFoundError), self._opened(oid) as stream:
            content = stream.read()
            self._witness = oid
            return content
        return None

    def digest(self, oid: str, sink: BinaryIO | None = None) -> StoredObject | None:
        """Hashes an object block by block and copies it into `sink`; None if it does not exist."""
        with self._object_errors(oid), suppress(FileNotFoundError), self._opened(oid) as stream:
            stored = _digest(stream, sink)
            self._witness = oid
            return stored
        return None

    def put(self, oid: str, file: Path) -> None:
        """Writes a file as an object, atomically: readers find the old object or the new one, never a part."""
        path = self._odb.oid_to_path(oid)
        with self._object_errors(oid, writing=True):
            if self._is_async:
                timeout = TOTAL_TIMEOUT + file.stat().st_size / MIN_UPLOAD_RATE
                self._requests.call(lambda callback: self._fs.fs._put_file(str(file), path, callback=callback), timeout)
            elif self._is_local:
                local.write_file(file, Path(path))
            else:
                self._fs.makedirs(self._fs.parent(path), exist_ok=True)
                self._fs.put_file(str(file), path)
            self._odb.protect(path)  # type: ignore[no-untyped-call]

    def for_each(
        self, work: Callable[[str], _R], oids: Collection[str], progress: Callable[[int], None] = lambda done: None
    ) -> dict[str, _R | ObjectError]:
        """Applies `work` to objects in threads: the result of each, or its error.

        Args:
            progress: called with the number of objects done.

        Raises:
            StoreError: the store as a whole cannot be used, or every object fails, which shows the same.
        """

        def outcome(oid: str) -> _R | ObjectError:
            try:
                return work(oid)
            except ObjectError as error:
                return error

        outcomes: dict[str, _R | ObjectError] = {}
        errors: list[ObjectError] = []
        # By the last digits: the first of them are in different folders, so one folder that fails is not the store.
        scattered = sorted(oids, key=lambda oid: oid.removesuffix(".dir")[::-1])
        for oid, result in zip(scattered, self._map_threads(outcome, scattered), strict=True):
            outcomes[oid] = result
            if isinstance(result, ObjectError):
                errors.append(result)
            if len(outcomes) == _MANY:
                require_store(errors, _MANY)
            progress(len(outcomes))
        require_store(errors, len(outcomes))
        return {oid: outcomes[oid] for oid in oids}

    def _map_threads(self, work: Callable[[_T], _R], items: Iterable[_T]) -> Iterator[_R]:
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
        """An object's bytes; those of a remote are downloaded to a file first, since its client may restart."""
        path = self._odb.oid_to_path(oid)
        if not self._is_async:
            opened = local.open_file(path) if self._is_local else self._fs.open(path, "rb")
            with opened as stream:
                yield stream
            return
        with TemporaryDirectory() as folder:
            copy = Path(folder) / "object"
            for _ in range(READ_ATTEMPTS):
                with naming_file(copy, copy):
                    self._requests.call(
                        lambda callback: self._fs.fs._get_file(path, str(copy), callback=callback), TOTAL_TIMEOUT
                    )
                with copy.open("rb") as stream:
                    if isinstance(self._odb, _Named) or _digest(stream).md5 == oid.removesuffix(".dir"):
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
        for more in self._map_threads(lambda prefix: self._list(prefix, pages(digits)), prefixes):
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

    @contextmanager
    def _client_errors(self) -> Iterator[None]:
        """Turns the exceptions of every remote's client, except missing files and our own, into a `StoreError`."""
        try:
            yield
        except (UserError, FileNotFoundError):
            raise
        except Exception as error:
            raise machine_error(error) or store_error(self.name, error) from error

    @contextmanager
    def _object_errors(self, oid: str, *, writing: bool = False) -> Iterator[None]:
        """Turns the same exceptions into an `ObjectError` if the store still answers, otherwise into a `StoreError`.

        An object that does not exist is an error only if it is written.
        """
        try:
            yield
        except UserError:
            raise
        except Exception as error:
            if isinstance(error, FileNotFoundError) and not writing:
                raise
            path = self._odb.oid_to_path(oid)
            if machine := machine_error(error, path if writing else None):
                raise machine from error
            if not self._answers():
                raise store_error(self.name, error) from error
            raise object_error(self.name, path, error, writing=writing) from error

    def _answers(self) -> bool:
        try:
            self._probe(PROBE_TIMEOUT)
        except Exception:  # of the client or the file system
            return False
        return True


def _digest(stream: BinaryIO, sink: BinaryIO | None = None) -> StoredObject:
    md5, size = hashlib.md5(usedforsecurity=False), 0
    while block := stream.read(_BLOCK):
        md5.update(block)
        size += len(block)
        if sink is not None:
            try:
                sink.write(block)
            except OSError as error:  # not the store's
                raise filesystem_error(OSError(error.errno, error.strerror, getattr(sink, "name", None))) from error
    return StoredObject(size, md5.hexdigest())


def _stored(info: dict[str, Any]) -> StoredObject:
    """Google's bucket reports the MD5 of the stored bytes; other types report none, or what the uploader claimed."""
    size, md5 = info.get("size"), info.get("md5Hash")
    return StoredObject(None if size is None else int(size), base64.b64decode(md5).hex() if md5 else None)
