"""Reads an archive, none of which is believed: a member comes out only if every byte is what the manifest calls for.

Names, kinds, order and sizes are those of the manifest or nothing is read at all; a hash that does not agree is an
error after the bytes were written, so that the caller gives the folder up.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from gogooku3.errors import DataError
from gogooku3.recovery.archive.manifest import MANIFEST, STORE, Manifest, Member, decode
from gogooku3.recovery.archive.tar import BLOCK, claim, described, end, extent, header, padding

_LARGEST_MANIFEST = 64 << 20
_CHUNK = 1 << 20


class Archive:
    """An archive whose manifest was read, and whose file is as long as this calls for."""

    def __init__(self, name: str, stream: BinaryIO) -> None:
        self._name, self._stream = name, stream
        self.size = os.fstat(stream.fileno()).st_size
        self.manifest = self._read_manifest()
        self._starts = self._layout()

    def copy(self, member: Member, sink: BinaryIO) -> None:
        """Writes a member's bytes; raises `DataError` where they are not those that the manifest promises."""
        self._stream.seek(self._starts[member.path])
        self._expect(header(member.path, member.size), member.path)
        sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        left = member.size
        while left and (block := self._stream.read(min(left, _CHUNK))):
            sha256.update(block)
            md5.update(block)
            sink.write(block)
            left -= len(block)
        self._expect(padding(member.size), member.path)
        if sha256.hexdigest() != member.sha256:
            raise self._altered(f"{member.path!r} has SHA-256 {sha256.hexdigest()}, not {member.sha256}")
        if member.object is not None and md5.hexdigest() != member.object.removesuffix(".dir"):
            raise self._altered(f"{member.path!r} has MD5 {md5.hexdigest()}")

    def read(self, member: Member) -> bytes:
        """The bytes of a member that fits into memory."""
        sink = io.BytesIO()
        self.copy(member, sink)
        return sink.getvalue()

    def extract(self, members: Iterable[Member], folder: Path, within: str = "") -> None:
        """Writes members as new files under a folder; `within` is the part of their paths that stays away."""
        for member in members:
            target = folder / member.path.removeprefix(within).lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as sink:
                self.copy(member, sink)

    def check(self) -> None:
        """Reads every byte; raises `DataError` where one is not what the manifest calls for."""
        with Path(os.devnull).open("wb") as sink:
            for member in self.manifest.files:
                self.copy(member, sink)

    def _read_manifest(self) -> Manifest:
        first = self._stream.read(BLOCK)
        name, size = claim(first) or (None, 0)
        if name != MANIFEST or first != header(MANIFEST, size):
            raise DataError(
                f"`{self._name}` is not an archive of a release: it begins with {described(first)}",
                hint="name a file that `gogooku3 archive create` made",
            )
        if size > min(_LARGEST_MANIFEST, self.size):
            raise self._altered(f"its manifest claims {size:,} bytes")
        content = self._stream.read(size)
        self._expect(padding(size), MANIFEST)
        return decode(content)

    def _layout(self) -> dict[str, int]:
        """Where each member starts, if the file is as long as all of them and ends as it must."""
        starts, at = {}, extent(MANIFEST, len(self.manifest.encode()))
        for member in self.manifest.files:
            starts[member.path] = at
            at += extent(member.path, member.size)
        expected = at + len(end(at))
        if self.size != expected:
            raise self._altered(f"it has {self.size:,} bytes, and its manifest calls for {expected:,}")
        self._stream.seek(at)
        self._expect(end(at), "its end")
        return starts

    def _expect(self, expected: bytes, where: str) -> None:
        found = self._stream.read(len(expected))
        if found != expected:
            what = described(found) if len(found) >= BLOCK and any(found) else "something else"
            raise self._altered(f"where {where!r} belongs stands {what}")

    def _altered(self, what: str) -> DataError:
        return DataError(
            f"`{self._name}` is not as it was made: {what}", hint="take another copy of the file; nothing was kept"
        )


@contextmanager
def open_archive(file: Path) -> Iterator[Archive]:
    """Opens an archive; raises `DataError` if the file is not an archive, is truncated, or has extra bytes."""
    if not file.is_file():
        raise DataError(f"`{file}` is not a file", hint="name a file that `gogooku3 archive create` made")
    with file.open("rb") as stream:
        yield Archive(str(file), stream)


@contextmanager
def extracted_store(file: Path) -> Iterator[Path]:
    """Extracts and checks the objects of an archive into a temporary folder with the layout of a cache or a remote.

    Raises `DataError` if the file is not an archive or is damaged.
    """
    with open_archive(file) as archive, tempfile.TemporaryDirectory() as folder:
        archive.extract(archive.manifest.objects.values(), Path(folder), within=STORE)
        yield Path(folder)
