"""The release that an archive is of, as the Git bundle inside states it, held against the manifest."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gogooku3.errors import GitError
from gogooku3.recovery.archive.bundle import tags_in, unreadable
from gogooku3.recovery.archive.contents import disagree, require_plain
from gogooku3.recovery.archive.manifest import BUNDLE, DOCUMENTS, Manifest
from gogooku3.recovery.archive.read import Archive, open_archive
from gogooku3.recovery.releases import git
from gogooku3.recovery.releases.clone import clone
from gogooku3.recovery.releases.record import Record, parse
from gogooku3.recovery.storage.listing import entries


@dataclass(frozen=True)
class Part:
    """An output in an archive: how many files, and their bytes together."""

    path: str
    files: int
    size: int


@dataclass(frozen=True)
class Listing:
    """What an archive holds."""

    size: int
    checked: bool
    """Whether every byte was read and hashed."""
    manifest: Manifest
    record: Record
    """What the tag says of the model."""
    outputs: tuple[Part, ...]


def listing(file: Path, *, check: bool = False) -> Listing:
    """Reads what an archive is of, and what is in it; `check` reads and hashes all of it.

    Raises:
        DataError: the file is no archive, or not as it was made.
        MismatchError: its parts are not of one release.
    """
    with open_archive(file) as archive, tempfile.TemporaryDirectory() as folder:
        record = cloned(archive, Path(folder) / "clone")
        if check:
            archive.check()
        parts = tuple(_part(archive, path, oid) for path, oid in archive.manifest.outputs.items())
        return Listing(archive.size, check, archive.manifest, record, parts)


def cloned(archive: Archive, target: Path) -> Record:
    """Clones the repository of an archive at its release, and returns what the tag says of the model.

    Raises `DataError` where the bundle cannot be read or its commit holds links, `MismatchError` where its tags are not
    those that the manifest names.
    """
    manifest = archive.manifest
    expected = {manifest.tag, *filter(None, [manifest.stage_tag])}
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / BUNDLE
        archive.extract(manifest.files[: len(DOCUMENTS)], bundle.parent)
        if (found := tags_in(bundle)) != expected:
            raise disagree(
                f"its Git bundle holds {_listed(sorted(found))}, its manifest names {_listed(sorted(expected))}"
            )
        try:
            release = clone(str(bundle), manifest.tag, target)
        except GitError as error:
            raise unreadable(error) from None
    git.run(target, "remote", "remove", "origin")  # the bundle, which is gone
    record = parse(release.tag.message)
    if record is None:
        raise disagree(f"`{manifest.tag}` says nothing of its model")
    stated = (f"{record.tier}@{record.version}", release.commit, record.model_sha256, record.stage_tag)
    if stated != (manifest.tag, manifest.commit, manifest.model_sha256, manifest.stage_tag):
        raise disagree(f"`{manifest.tag}` states {_listed(stated)}; its manifest says otherwise")
    if manifest.stage_tag is not None and git.commit_of(target, f"refs/tags/{manifest.stage_tag}") != release.commit:
        raise disagree(f"`{manifest.stage_tag}` marks another commit")
    require_plain(target, release.commit)
    return record


def _part(archive: Archive, path: str, oid: str) -> Part:
    objects = archive.manifest.objects
    if not oid.endswith(".dir"):
        return Part(path, 1, objects[oid].size)
    files = entries(oid, archive.read(objects[oid]))
    if files is None or any(file.md5 not in objects for file in files):
        raise disagree(f"the listing of `{path}` names what is not there")
    return Part(path, len(files), sum(objects[file.md5].size for file in files))


def _listed(items: Iterable[object]) -> str:
    return ", ".join(f"`{item}`" for item in items) or "nothing"
