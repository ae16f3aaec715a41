"""How the members of an archive lie in the file: an uncompressed tar in which every byte follows from the manifest.

A header says name and size and nothing of who, when or where. A reader that knows what must stand at a place compares
bytes: links, devices, other names and claims of other sizes are all simply not what stands there.
"""

from __future__ import annotations

import tarfile

BLOCK = tarfile.BLOCKSIZE

_TIME = 315532800  # 1980-01-01: tar warns of files from 1970
_KINDS = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.LNKTYPE: "hard link",
    tarfile.SYMTYPE: "symbolic link",
    tarfile.CHRTYPE: "device",
    tarfile.BLKTYPE: "device",
    tarfile.DIRTYPE: "folder",
    tarfile.FIFOTYPE: "pipe",
}


def header(path: str, size: int) -> bytes:
    """The one header that a member of this name and size has."""
    info = tarfile.TarInfo(path)
    info.size, info.mtime, info.mode = size, _TIME, 0o644
    return info.tobuf(tarfile.PAX_FORMAT)  # PAX: what is larger than 8 GiB gets a second header


def padding(size: int) -> bytes:
    """What fills a member's last block."""
    return bytes(-size % BLOCK)


def end(length: int) -> bytes:
    """What ends a tar whose members take `length` bytes: two empty blocks, and what fills the last record."""
    return bytes(2 * BLOCK + -(length + 2 * BLOCK) % tarfile.RECORDSIZE)


def extent(path: str, size: int) -> int:
    """How many bytes a member takes: header, content, padding."""
    return len(header(path, size)) + size + len(padding(size))


def claim(block: bytes) -> tuple[str, int] | None:
    """Name and size that a header claims; None for bytes that are no header."""
    info = _parsed(block)
    return None if info is None else (info.name, info.size)


def described(block: bytes) -> str:
    """A header in words, for a message."""
    info = _parsed(block)
    if info is None:
        return "no tar header"
    return f"a {_KINDS.get(info.type, 'special member')} {info.name!r} of {info.size:,} bytes"


def _parsed(block: bytes) -> tarfile.TarInfo | None:
    try:
        return tarfile.TarInfo.frombuf(block[:BLOCK], "utf-8", "backslashreplace")
    except tarfile.HeaderError:
        return None
