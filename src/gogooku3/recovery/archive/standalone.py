"""Restores a released model from the unpacked archive in this script's folder, with only Git and Python 3.11 or newer.

    python3 -I restore.py FOLDER

The checksum of every file is compared with `MANIFEST.json` first. FOLDER becomes a clone of the repository at the
release, with all outputs of the pipeline; it is complete or does not exist.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

FILE_MODES = ("100644", "100755")
"""Git's modes of regular files: normal and executable."""

WEIGHTS = "models/package/model.safetensors"


class ArchiveError(Exception):
    """The archive is damaged, or cannot be restored here."""


def is_inside(path: str) -> bool:
    """Whether an output's path stays in the repository (no path traversal) and outside `.git` and `.dvc`."""
    parts = path.lower().split("/")
    return not {"", ".", "..", ".git", ".dvc"}.intersection(parts) and not {"\\", "\0"}.intersection(path)


def check(folder: Path) -> dict[str, Any]:
    """Reads the manifest of an unpacked archive and compares every file's size and checksum with it."""
    manifest: dict[str, Any] = json.loads((folder / "MANIFEST.json").read_bytes())
    for file in manifest["files"]:
        if not is_inside(file["path"]):
            raise ArchiveError(f"{file['path']!r} is outside the archive")
        path = folder / file["path"]
        if not path.is_file() or path.is_symlink():
            raise ArchiveError(f"{file['path']} is missing")
        if path.stat().st_size != file["size"] or digest(path, "sha256") != file["sha256"]:
            raise ArchiveError(f"{file['path']} was altered")
        name = "".join(path.parts[-2:]).removesuffix(".dir")
        if file["path"].startswith("store/") and digest(path, "md5") != name:
            raise ArchiveError(f"{file['path']} is not the object that it is named after")
    return manifest


def restore(folder: Path, target: Path) -> dict[str, Any]:
    """Restores a clone at the release with its outputs from an unpacked archive, and returns the manifest."""
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise ArchiveError(f"{target} is not empty; name a new folder")
    manifest = check(folder)
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _clone(folder / "repository.bundle", manifest, partial)
        for path, name in manifest["outputs"].items():
            _copy_output(folder / "store/files/md5", name, partial, path)
        if digest(partial / WEIGHTS, "sha256") != manifest["model_sha256"]:
            raise ArchiveError(f"{WEIGHTS} is not the model of {manifest['tag']}")
        if target.exists():
            target.rmdir()
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return manifest


def _clone(bundle: Path, manifest: dict[str, Any], clone: Path) -> None:
    """Clones the repository at the tag, after a check of its commit and recorded model against the manifest."""
    tag = manifest["tag"]
    clone.parent.mkdir(parents=True, exist_ok=True)
    _git(bundle.parent, "clone", "--quiet", "--no-checkout", "--", str(bundle), str(clone))
    if _git(clone, "rev-parse", f"refs/tags/{tag}^{{commit}}").strip() != manifest["commit"]:
        raise ArchiveError(f"{tag} is not commit {manifest['commit']}")
    record = _git(clone, "cat-file", "tag", f"refs/tags/{tag}").rpartition("\nrecord: ")[2]
    if json.loads(record)["model_sha256"] != manifest["model_sha256"]:
        raise ArchiveError(f"{tag} records another model")
    for line in _git(clone, "ls-tree", "-r", "-z", manifest["commit"]).split("\0")[:-1]:
        if not line.startswith(FILE_MODES):
            raise ArchiveError(f"{line.partition(chr(9))[2]!r} is not a file")
    _git(clone, "checkout", "--quiet", "--detach", manifest["commit"])
    _git(clone, "remote", "remove", "origin")


def _copy_output(objects: Path, name: str, clone: Path, path: str) -> None:
    """Copies the files of an output from the store to their paths in the clone."""
    files = {path: name}
    if name.endswith(".dir"):
        listing = json.loads((objects / name[:2] / name[2:]).read_bytes())
        files = {f"{path}/{entry['relpath']}": entry["md5"] for entry in listing}
    for file, md5 in files.items():
        if not is_inside(file) or (clone / file).exists():
            raise ArchiveError(f"{file!r} is not a valid path for an output")
        (clone / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(objects / md5[:2] / md5[2:], clone / file)


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=False)  # noqa: S603, S607
    except FileNotFoundError:
        raise ArchiveError("git is not installed") from None
    if done.returncode:
        raise ArchiveError(f"git {arguments[0]} failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode(errors="surrogateescape")


def digest(path: Path, algorithm: str) -> str:
    """The checksum of a file in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def main() -> None:
    """Restores the archive in this script's folder."""
    if len(sys.argv) != 2 or sys.version_info < (3, 11):
        sys.exit("usage, with Python 3.11 or newer: python3 -I restore.py FOLDER")
    target = Path(sys.argv[1]).absolute()
    try:
        manifest = restore(Path(__file__).resolve().parent, target)
    except ArchiveError as error:
        sys.exit(f"error: {error}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.exit(f"error: this is not the archive of a release, or a part of it is missing: {error!r}")
    sys.stdout.write(
        f"{manifest['tag']}, commit {manifest['commit'][:10]}, in {target}\n"
        f"model SHA-256 {manifest['model_sha256']}, as in the tag\n"
    )


if __name__ == "__main__":
    main()
