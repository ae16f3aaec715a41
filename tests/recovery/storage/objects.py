"""A store in a folder, and objects written into it with the right or a wrong name."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from gogooku3.recovery.storage.lock import Output

LISTED = {"a.txt": b"first" * 100, "deep/b.txt": b"second" * 100}


def oid_of(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def listing_of(files: dict[str, bytes]) -> bytes:
    return json.dumps([{"md5": oid_of(content), "relpath": path} for path, content in files.items()]).encode()


LISTING = listing_of(LISTED)
DIRECTORY = f"{oid_of(LISTING)}.dir"


def placed(folder: Path, oid: str) -> Path:
    return folder / "files/md5" / oid[:2] / oid[2:]


def write(folder: Path, oid: str, content: bytes) -> None:
    """Writes an object, whether or not its content has the hash of its name."""
    placed(folder, oid).parent.mkdir(parents=True, exist_ok=True)
    placed(folder, oid).write_bytes(content)


def write_directory(folder: Path) -> Path:
    """A store with a directory of two files."""
    write(folder, DIRECTORY, LISTING)
    for content in LISTED.values():
        write(folder, oid_of(content), content)
    return folder


def recorded(oid: str, size: int | None = None) -> Output:
    return Output("stage", "data/parts", oid, size, None, oid.endswith(".dir"))
