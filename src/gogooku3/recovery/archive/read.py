"""Reads an untrusted archive: a member is extracted only if every byte of the file is as the manifest requires.

Names, types, order and sizes are checked against the manifest before anything is read. A wrong checksum is an error
only after the bytes were written, so the caller must then discard the folder.
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

from gogooku3.errors import DataError, MachineError
from gogooku3.recovery.archive.manifest import MANIFEST, STORE, Manifest, Member, decode
from gogooku3.recovery.archive.tar import BLOCK, describe_header, end, extent, header, padding, parse_header
from gogooku3.recovery.provenance.objects import put
from gogooku3.recovery.storage.open import open_folder
from gogooku3.runtime.faults import writing

_LARGEST_MANIFEST = 64 << 20
_CHUNK = 1 << 20


class Archive:
    """An open archive with a valid manifest and the file size that this requires."""

    def __init__(self, name: str, stream: BinaryIO) -> None:
        self._name, self._stream = name, stream
        self.size = os.fstat(stream.fileno()).st_size
        self.manifest = self._read_manifest()
        self._offsets = self._member_offsets()

    def copy(self, member: Member, sink: BinaryIO) -> None:
        """Writes a member's bytes; raises `DataError` if their checksum differs from the manifest's."""
        self._stream.seek(self._offsets[member.path])
        self._expect(header(member.path, member.size), member.path)
        sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        remaining = member.size
        while remaining and (block := self._read(min(remaining, _CHUNK))):
            sha256.update(block)
            md5.update(block)
            sink.write(block)
            remaining -= len(block)
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
        """Writes members as new files under a folder; `within` is a path prefix to remove."""
        for member in members:
            target = folder / member.path.removeprefix(within).lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            with writing(target, target), target.open("xb") as sink:
                self.copy(member, sink)

    def check(self) -> None:
        """Reads and hashes every member; raises `DataError` if one differs from the manifest."""
        with Path(os.devnull).open("wb") as sink:
            for member in self.manifest.files:
                self.copy(member, sink)

    def _read_manifest(self) -> Manifest:
        first = self._read(BLOCK)
        name, size = parse_header(first) or (None, 0)
        if name != MANIFEST or first != header(MANIFEST, size):
            raise DataError(
                f"`{self._name}` is not an archive of a release: it begins with {describe_header(first)}",
                hint="name a file that `gogooku3 archive create` made",
            )
        if self.size < size <= _LARGEST_MANIFEST:
            raise self._truncated(extent(MANIFEST, size))
        if size > _LARGEST_MANIFEST:
            raise self._altered(f"its manifest claims {size:,} bytes")
        content = self._read(size)
        self._expect(padding(size), MANIFEST)
        return decode(content)

    def _member_offsets(self) -> dict[str, int]:
        """The offset of each member, after checks of the file's size and its end."""
        offsets, at = {}, extent(MANIFEST, len(self.manifest.encode()))
        for member in self.manifest.files:
            offsets[member.path] = at
            at += extent(member.path, member.size)
        expected = at + len(end(at))
        if self.size < expected:
            raise self._truncated(expected)
        if self.size > expected:
            raise self._altered(f"it has {self.size:,} bytes instead of the {expected:,} that its manifest requires")
        self._stream.seek(at)
        self._expect(end(at), "the end")
        return offsets

    def _read(self, size: int) -> bytes:
        try:
            return self._stream.read(size)
        except OSError as error:
            raise MachineError(
                f"`{self._name}` cannot be read: {error.strerror or error}",
                hint="check the disk that it is on (`dmesg`), or use another copy of the file",
            ) from None

    def _expect(self, expected: bytes, where: str) -> None:
        block = self._read(len(expected))
        if block != expected:
            found = describe_header(block) if len(block) >= BLOCK and any(block) else "something else"
            raise self._altered(f"instead of {where!r} it has {found}")

    def _truncated(self, expected: int) -> DataError:
        return DataError(
            f"`{self._name}` is truncated: it has {self.size:,} bytes of {expected:,} or more",
            hint="copy it again: an interrupted copy and a full disk leave such a file; or use another copy",
        )

    def _altered(self, reason: str) -> DataError:
        return DataError(
            f"`{self._name}` was altered: {reason}", hint="use another copy of the file; nothing was restored"
        )


@contextmanager
def open_archive(file: Path) -> Iterator[Archive]:
    """Opens an archive.

    Raises:
        DataError: the file is not an archive, is truncated, or has extra bytes.
        MachineError: the file cannot be read.
    """
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
        manifest = archive.manifest
        archive.extract(manifest.objects.values(), Path(folder), within=STORE)
        if manifest.provenance is not None:
            put(open_folder(Path(folder)), archive.read(manifest.provenance))
        yield Path(folder)
