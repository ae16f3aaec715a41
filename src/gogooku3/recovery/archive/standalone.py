"""Restores a released model from the unpacked archive in this script's folder, with only Git and Python 3.11 or newer.

    python3 -I restore.py FOLDER

The checksum of every file is compared with `MANIFEST.json` first. FOLDER becomes a clone of the repository at the
release, with all outputs of the pipeline; it is complete or does not exist.

Exit codes: 0 restored; 1 FOLDER is not empty, or another restore is writing it; 2 wrong usage; 3 the archive is
damaged, truncated or incomplete; 4 this machine is the reason: a disk is full, a file or folder cannot be read or
written, or Git is missing. After 4 the archive may be intact.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

if sys.platform != "win32":
    import fcntl

FILE_MODES = ("100644", "100755")
"""Git's modes of regular files: normal and executable."""

WEIGHTS = "models/package/model.safetensors"
PROVENANCE = "provenance.json"

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FULL_DISK = ("No space left on device", "Out of diskspace", "Disk quota exceeded")
_COPY = "use another copy of the archive: this one is not as it was made"
_UNPACK = "unpack the tar again, on a disk with enough space; if the tar itself is too short, use another copy of it"


class ArchiveError(Exception):
    """The archive is damaged; with another exit code, it cannot be restored here."""

    def __init__(self, message: str, hint: str = _COPY, exit_code: int = 3) -> None:
        super().__init__(message)
        self.hint = hint
        self.exit_code = exit_code


def is_inside(path: str) -> bool:
    """Whether an output's path stays in the repository (no path traversal) and outside `.git` and `.dvc`."""
    parts = path.lower().split("/")
    return not {"", ".", "..", ".git", ".dvc"}.intersection(parts) and not {"\\", "\0"}.intersection(path)


def check(folder: Path) -> dict[str, Any]:
    """Reads the manifest of an unpacked archive and compares every file's size and checksum with it."""
    with _source_errors(folder / "MANIFEST.json"):
        content = (folder / "MANIFEST.json").read_bytes()
    try:
        manifest: dict[str, Any] = json.loads(content)
        for file in manifest["files"]:
            with _source_errors(folder / file["path"]):
                _check_file(folder, file)
    except (ValueError, KeyError, TypeError) as error:
        raise ArchiveError(f"MANIFEST.json is not the manifest of an archive: {error!r}", _UNPACK) from None
    return manifest


def _check_file(folder: Path, file: dict[str, Any]) -> None:
    name, path = file["path"], folder / file["path"]
    if not is_inside(name):
        raise ArchiveError(f"{name!r} is outside the archive")
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise ArchiveError(f"{name} is not a file")
    size = path.stat().st_size
    if size < file["size"]:
        raise ArchiveError(f"{name} is truncated: {size:,} of {file['size']:,} bytes", _UNPACK)
    if size != file["size"] or digest(path, "sha256") != file["sha256"]:
        raise ArchiveError(f"{name} was altered")
    if name.startswith("store/") and digest(path, "md5") != "".join(path.parts[-2:]).removesuffix(".dir"):
        raise ArchiveError(f"{name} is not the object that it is named after")


def restore(folder: Path, target: Path) -> dict[str, Any]:
    """Restores a clone at the release with its outputs from an unpacked archive, and returns the manifest."""
    with _target_errors(folder, target):
        _require_empty(target)
    manifest = check(folder)
    with _target_errors(folder, target), _partial(target) as partial:
        _clone(folder / "repository.bundle", manifest, partial)
        for path, name in manifest["outputs"].items():
            _copy_output(folder / "store/files/md5", name, partial, path)
        if digest(partial / WEIGHTS, "sha256") != manifest["model_sha256"]:
            raise ArchiveError(f"{WEIGHTS} is not the model of {manifest['tag']}")
        if any(file["path"] == PROVENANCE for file in manifest["files"]):
            kept = partial / "logs/provenance" / f"{manifest['tag'].replace('/', '-')}.json"
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / PROVENANCE, kept)
        if target.exists():
            target.rmdir()
        partial.rename(target)
    return manifest


def _require_empty(target: Path) -> None:
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise ArchiveError(f"{target} is not empty", "name a new folder", 1)


@contextmanager
def _partial(target: Path) -> Iterator[Path]:
    """Context manager: a new folder next to the target, removed at the end, which only this process uses.

    It replaces what a killed process left there.
    """
    partial = target.with_name(f".{target.name}.partial")
    target.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        partial.mkdir()
    if sys.platform != "win32" and not _locked(partial, target):
        raise ArchiveError(f"another process has just restored {target}", "use its result", 1)
    try:
        _require_empty(target)
        for leftover in partial.iterdir():
            shutil.rmtree(leftover) if leftover.is_dir() and not leftover.is_symlink() else leftover.unlink()
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _locked(partial: Path, target: Path) -> bool:
    """Locks the folder until this process ends, even by a kill; False if another process has renamed it meanwhile."""
    try:
        descriptor = os.open(partial, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(descriptor), partial.stat())
    except BlockingIOError:
        raise ArchiveError(f"another process is restoring {target}", "wait for its end", 1) from None
    except FileNotFoundError:
        return False


def _clone(bundle: Path, manifest: dict[str, Any], clone: Path) -> None:
    """Clones the repository at the tag, after a check of its commit and recorded model against the manifest."""
    tag = manifest["tag"]
    _git(bundle.parent, "clone", "--quiet", "--no-checkout", "--", str(bundle), str(clone))
    if _git(clone, "rev-parse", f"refs/tags/{tag}^{{commit}}").strip() != manifest["commit"]:
        raise ArchiveError(f"{tag} is not commit {manifest['commit']}")
    record = json.loads(_git(clone, "cat-file", "tag", f"refs/tags/{tag}").rpartition("\nrecord: ")[2])
    if record["model_sha256"] != manifest["model_sha256"]:
        raise ArchiveError(f"{tag} records another model")
    kept = [file["sha256"] for file in manifest["files"] if file["path"] == PROVENANCE]
    if kept != [named["sha256"] for named in [record.get("provenance")] if named]:
        raise ArchiveError(f"{tag} names another provenance")
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
    environment = os.environ | {"LC_ALL": "C"}
    try:
        done = subprocess.run(  # noqa: S603
            ["git", *arguments],  # noqa: S607
            cwd=folder,
            env=environment,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise ArchiveError("git is not installed", "install Git, then run this again", 4) from None
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip()
        if any(text in reason for text in _FULL_DISK):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise ArchiveError(f"git {arguments[0]} failed: {reason}")
    return done.stdout.decode(errors="surrogateescape")


@contextmanager
def _source_errors(file: Path) -> Iterator[None]:
    """Reports that a file of the unpacked archive is missing or cannot be read."""
    try:
        yield
    except FileNotFoundError:
        raise ArchiveError(f"{file} is missing", _UNPACK) from None
    except OSError as error:
        hint = "give yourself the permission to read it, check its disk, or use another copy of the archive"
        raise ArchiveError(f"{file} cannot be read: {error.strerror}", hint, 4) from None


@contextmanager
def _target_errors(folder: Path, target: Path) -> Iterator[None]:
    """Reports that the target cannot be written; the files of the archive were checked before."""
    try:
        yield
    except OSError as error:
        reason, hint = f"{target} cannot be written", "name a folder that you can write to"
        if error.errno in _FULL:  # a copy names its source
            reason, hint = f"the disk of {target} is full", "free some space there, or name a folder on another disk"
        elif str(error.filename).startswith(str(folder / "store")):
            with _source_errors(Path(error.filename)):
                raise
        raise ArchiveError(f"{reason}: {error.strerror}. Nothing was restored", hint, 4) from None
    except (ValueError, KeyError, TypeError) as error:
        raise ArchiveError(f"a part of the archive is not valid: {error!r}") from None


def digest(path: Path, algorithm: str) -> str:
    """The checksum of a file in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def main() -> None:
    """Restores the archive in this script's folder."""
    if len(sys.argv) != 2 or sys.version_info < (3, 11):
        sys.stderr.write("usage, with Python 3.11 or newer: python3 -I restore.py FOLDER\n")
        sys.exit(2)
    target = Path(sys.argv[1]).absolute()
    try:
        manifest = restore(Path(__file__).resolve().parent, target)
    except ArchiveError as error:
        sys.stderr.write(f"error: {error}\nhint: {error.hint}\n")
        sys.exit(error.exit_code)
    sys.stdout.write(
        f"{manifest['tag']}, commit {manifest['commit'][:10]}, in {target}\n"
        f"model SHA-256 {manifest['model_sha256']}, as in the tag\n"
    )


if __name__ == "__main__":
    main()
