"""`archive list`: the release in an archive, from its Git bundle, checked against the manifest."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gogooku3.errors import GitError
from gogooku3.recovery.archive.bundle import tags_in, unreadable
from gogooku3.recovery.archive.contents import inconsistent, require_regular_files
from gogooku3.recovery.archive.manifest import BUNDLE, Manifest
from gogooku3.recovery.archive.read import Archive, open_archive
from gogooku3.recovery.releases import git
from gogooku3.recovery.releases.clone import clone
from gogooku3.recovery.releases.record import Record, parse
from gogooku3.recovery.storage.listing import entries


@dataclass(frozen=True)
class OutputSize:
    """An output in an archive: its number of files and their total size in bytes."""

    path: str
    files: int
    size: int


@dataclass(frozen=True)
class Listing:
    """The contents of an archive."""

    size: int
    checked: bool
    """Whether every byte was read and hashed."""
    manifest: Manifest
    record: Record
    """The record of the model in the tag."""
    outputs: tuple[OutputSize, ...]


def listing(file: Path, *, check: bool = False) -> Listing:
    """Lists the release and the outputs in an archive; `check` reads and hashes every byte.

    Raises:
        DataError: the file is not an archive, or was altered.
        MismatchError: its parts are not from one release.
    """
    with open_archive(file) as archive, tempfile.TemporaryDirectory() as folder:
        record = clone_release(archive, Path(folder) / "clone")
        if check:
            archive.check()
        outputs = tuple(_output_size(archive, path, oid) for path, oid in archive.manifest.outputs.items())
        return Listing(archive.size, check, archive.manifest, record, outputs)


def clone_release(archive: Archive, target: Path, trusted_keys: Path | None = None) -> Record:
    """Clones the repository of an archive at its release, and returns the record in its tag.

    Raises `DataError` if the bundle cannot be read or its commit contains links, `MismatchError` if its tags are not
    those in the manifest, or no key in `trusted_keys` signed the version's.
    """
    manifest = archive.manifest
    expected = {manifest.tag, *filter(None, [manifest.stage_tag])}
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / BUNDLE
        archive.extract(manifest.documents, bundle.parent)
        if (found := tags_in(bundle)) != expected:
            raise inconsistent(
                f"its Git bundle has {_listed(sorted(found))}, its manifest names {_listed(sorted(expected))}"
            )
        try:
            release = clone(str(bundle), manifest.tag, target, trusted_keys=trusted_keys)
        except GitError as error:
            raise unreadable(error) from None
    git.run(target, "remote", "remove", "origin")  # the bundle, which no longer exists
    record = parse(release.tag.message)
    if record is None:
        raise inconsistent(f"`{manifest.tag}` has no record of its model")
    stated = (f"{record.tier}@{record.version}", release.commit, record.model_sha256, record.stage_tag)
    if stated != (manifest.tag, manifest.commit, manifest.model_sha256, manifest.stage_tag):
        raise inconsistent(f"`{manifest.tag}` records {_listed(stated)}, unlike the manifest")
    named = None if record.provenance is None else record.provenance.sha256
    if named != (None if manifest.provenance is None else manifest.provenance.sha256):
        raise inconsistent(f"`{manifest.tag}` names the provenance {named}, unlike the manifest")
    if manifest.stage_tag is not None and git.commit_of(target, f"refs/tags/{manifest.stage_tag}") != release.commit:
        raise inconsistent(f"`{manifest.stage_tag}` marks another commit")
    require_regular_files(target, release.commit)
    return record


def _output_size(archive: Archive, path: str, oid: str) -> OutputSize:
    objects = archive.manifest.objects
    if not oid.endswith(".dir"):
        return OutputSize(path, 1, objects[oid].size)
    files = entries(oid, archive.read(objects[oid]))
    if files is None or any(file.md5 not in objects for file in files):
        raise inconsistent(f"the listing of `{path}` names missing files")
    return OutputSize(path, len(files), sum(objects[file.md5].size for file in files))


def _listed(items: Iterable[object]) -> str:
    return ", ".join(f"`{item}`" for item in items) or "nothing"
