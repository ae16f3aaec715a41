"""The provenance objects of a store: in a folder next to DVC's objects, where `dvc gc` does not look."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from gogooku3.recovery.storage.store import Store

FOLDER = "provenance"
LARGEST = 64 << 20
"""Limit of the size in bytes: no larger one is made or read."""


def objects_of(store: Store) -> Store:
    """The provenance objects of a store."""
    return store.beside(FOLDER)


def put(store: Store, content: bytes) -> str:
    """Writes a provenance to a store and returns its name there, its MD5."""
    oid = hashlib.md5(content, usedforsecurity=False).hexdigest()
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        objects_of(store).put(oid, Path(file.name))
    return oid
