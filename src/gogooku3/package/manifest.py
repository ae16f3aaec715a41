"""`MANIFEST.json`: the SHA-256 of every file of a package. A package is its manifest, no file more and none less."""

from __future__ import annotations

import json
from pathlib import Path

from gogooku3.errors import DataError, MismatchError
from gogooku3.runtime.files import sha256_file, write_json

MANIFEST = "MANIFEST.json"


def write_manifest(folder: Path) -> None:
    """Writes the manifest of all files in a package's folder."""
    write_json({"sha256": {name: sha256_file(folder / name) for name in _files(folder)}}, folder / MANIFEST)


def check_manifest(folder: Path) -> None:
    """Compares a package's files with its manifest.

    Raises:
        DataError: there is no package, or no readable manifest.
        MismatchError: a file is missing, altered, or not named.
    """
    try:
        promised = dict(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["sha256"])
    except FileNotFoundError:
        raise DataError(
            f"`{folder}` holds no `{MANIFEST}`: it is not a package",
            hint=f"name a package's folder, such as `models/package`; `gogooku3 locate {folder}` says who has it",
        ) from None
    except (ValueError, KeyError, TypeError):
        raise DataError(f"`{folder / MANIFEST}` is not a manifest", hint="fetch the package anew") from None
    present = set(_files(folder))
    faults = [f"{name} is missing" for name in sorted(promised.keys() - present)]
    faults += [f"{name} is not named in it" for name in sorted(present - promised.keys())]
    faults += [
        f"{name} was altered"
        for name, expected in promised.items()
        if name in present and sha256_file(folder / name) != expected
    ]
    if faults:
        raise MismatchError(
            f"`{folder}` is not what its manifest promises: {'; '.join(faults)}",
            hint="fetch the package anew",
        )


def _files(folder: Path) -> list[str]:
    """Files of a package as sorted POSIX paths, the manifest and Git's own ignore files left out."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if name != MANIFEST and Path(name).name != ".gitignore")
