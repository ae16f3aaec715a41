"""Tar format of an archive: uncompressed, with every byte determined by the manifest.

A header has a name and a size, and no owner or time. A reader knows the expected bytes and compares them, so it rejects
links, devices, other names and wrong sizes without interpreting them.
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
    """The only valid header for a member with this name and size."""
    info = tarfile.TarInfo(path)
    info.size, info.mtime, info.mode = size, _TIME, 0o644
    return info.tobuf(tarfile.PAX_FORMAT)  # PAX: a file larger than 8 GiB gets a second header


def padding(size: int) -> bytes:
    """The padding of a member's last block."""
    return bytes(-size % BLOCK)


def end(length: int) -> bytes:
    """The end of a tar with members of `length` bytes: two empty blocks, and the padding of the last record."""
    return bytes(2 * BLOCK + -(length + 2 * BLOCK) % tarfile.RECORDSIZE)


def extent(path: str, size: int) -> int:
    """Size of a member in bytes: header, content, padding."""
    return len(header(path, size)) + size + len(padding(size))


def parse_header(block: bytes) -> tuple[str, int] | None:
    """Name and size in a header; None if the bytes are not a header."""
    info = _parsed(block)
    return None if info is None else (info.name, info.size)


def describe_header(block: bytes) -> str:
    """Description of a header for a message."""
    info = _parsed(block)
    if info is None:
        return "no tar header"
    return f"a {_KINDS.get(info.type, 'special member')} {info.name!r} of {info.size:,} bytes"


def _parsed(block: bytes) -> tarfile.TarInfo | None:
    try:
        return tarfile.TarInfo.frombuf(block[:BLOCK], "utf-8", "backslashreplace")
    except tarfile.HeaderError:
        return None
