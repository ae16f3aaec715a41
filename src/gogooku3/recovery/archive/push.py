"""`archive create --push`: uploads an archive to the bucket, next to DVC's objects, where `dvc gc` does not look."""

from __future__ import annotations

from pathlib import Path

from gogooku3.errors import DataError, StoreError
from gogooku3.recovery.storage.open import open_remote
from gogooku3.runtime.files import md5_file

FOLDER = "archives"


def push(root: Path, file: Path, name: str) -> str:
    """Uploads an archive under a name, reads it back, and returns its address; one that is there is not replaced.

    Raises:
        DataError: the bucket has another file of this name.
        StoreError: the bucket cannot be used, or gives other bytes back.
    """
    remote = open_remote(root).beside(FOLDER, named=True)
    address = f"{remote.name}/{FOLDER}/{name}"
    expected = md5_file(file)
    found = remote.digest(name)
    if found is not None and found.md5 != expected:
        raise DataError(
            f"`{address}` exists, with other bytes than `{file}`",
            hint="keep it, or delete it in the bucket; another version of gogooku3 or Git makes other archives",
        )
    if found is None:
        remote.put(name, file)
        found = remote.digest(name)
        if found is None or found.md5 != expected:
            raise StoreError(f"`{address}` has other bytes than `{file}` after the upload", hint="delete it, try again")
    return address
