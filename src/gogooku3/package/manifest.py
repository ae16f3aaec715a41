"""`MANIFEST.json`: checksums (SHA-256) of all files of a package, for its integrity check."""

from __future__ import annotations

import json
from pathlib import Path

from gogooku3.errors import DataError, MismatchError
from gogooku3.runtime.files import sha256_file, write_json

MANIFEST = "MANIFEST.json"


def write_manifest(folder: Path) -> None:
    """Writes the manifest of all files in a package folder."""
    write_json({"sha256": {name: sha256_file(folder / name) for name in _files(folder)}}, folder / MANIFEST)


def check_manifest(folder: Path) -> None:
    """Integrity check: compares a package's files with the checksums of its manifest.

    Raises:
        DataError: there is no package, or no readable manifest.
        MismatchError: a file is missing, altered, or not in the manifest.
    """
    try:
        checksums = dict(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["sha256"])
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(
            f"`{folder}` has no `{MANIFEST}`: it is not a package",
            hint=f"name a package folder, such as `models/package`; `gogooku3 locate {folder}` shows where a copy is",
        ) from None
    except (ValueError, KeyError, TypeError):
        raise DataError(f"`{folder / MANIFEST}` is not a manifest", hint="fetch the package again") from None
    present = set(_files(folder))
    problems = [f"{name} is missing" for name in sorted(checksums.keys() - present)]
    problems += [f"{name} is not in the manifest" for name in sorted(present - checksums.keys())]
    problems += [
        f"{name} was altered"
        for name, expected in checksums.items()
        if name in present and sha256_file(folder / name) != expected
    ]
    if problems:
        raise MismatchError(
            f"`{folder}` does not match its manifest: {'; '.join(problems)}",
            hint="fetch the package again",
        )


def _files(folder: Path) -> list[str]:
    """Files of a package as sorted POSIX paths, without the manifest and `.gitignore` files."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if name != MANIFEST and Path(name).name != ".gitignore")
