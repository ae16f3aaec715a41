"""`archive create`: writes a release with its Git history and all its objects to one deterministic tar file."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from gogooku3 import paths
from gogooku3.errors import DataError
from gogooku3.recovery.archive import standalone
from gogooku3.recovery.archive.bundle import bundle
from gogooku3.recovery.archive.contents import objects, require_regular_files, require_released
from gogooku3.recovery.archive.manifest import (
    BUNDLE,
    FORMAT,
    MANIFEST,
    PROVENANCE,
    README,
    REQUIREMENTS,
    SCRIPT,
    WITH_PROVENANCE,
    Manifest,
    Member,
    member_path,
)
from gogooku3.recovery.archive.readme import file_name, readme
from gogooku3.recovery.archive.tar import end, header, padding
from gogooku3.recovery.provenance.stored import fetch_provenance
from gogooku3.recovery.releases import git, tags
from gogooku3.recovery.releases.record import Record, parse
from gogooku3.recovery.sources import open_sources
from gogooku3.recovery.storage import lock
from gogooku3.recovery.storage.fetch import fetch
from gogooku3.recovery.storage.open import open_cache
from gogooku3.recovery.storage.scan import Progress
from gogooku3.recovery.storage.store import Store
from gogooku3.runtime.files import replaced_file


@dataclass(frozen=True)
class CreatedArchive:
    """The created file with its size, checksum and manifest."""

    file: str
    size: int
    sha256: str
    manifest: Manifest


def create(
    root: Path,
    name: str,
    target: Path | None = None,
    *,
    progress: Progress = lambda _what, _done, _total: None,
) -> CreatedArchive:
    """Writes the archive of a release, byte-identical from every clone with the same versions of gogooku3 and Git.

    Objects come from the local cache; those that are missing or damaged there are fetched from the remotes first.

    Args:
        root: the working tree's root.
        name: `TIER` (its best version) or `TIER@VERSION`.
        target: the file; None for `TIER@VERSION.tar` in the current folder.

    Raises:
        DataError: the file exists, there is no such release, it has no record, or no source has an intact copy of one
            of its objects.
        MismatchError: the model's SHA-256 is not the one that the tag records.
        StoreError, GitError: a remote or the history is needed and cannot be reached.
        MachineError: the disk of the file, the cache or the temporary folder is full or cannot be written to.
    """
    release = tags.find(root, name)
    record = _record(release)
    target = target or Path(file_name(release.tag.name))
    _require_new(target)
    # Opened before the objects are fetched and hashed: a folder that cannot be written to is an error at once.
    with replaced_file(target) as partial:
        _require_new(target)  # another process may have written it before this one's turn
        require_regular_files(root, release.commit)
        outs = lock.outputs(root, release.commit)
        cache = open_cache(root)
        with open_sources(root) as sources:
            fetch(cache, sources, outs, progress).require_complete()
        documents = _documents(root, release, record, _weights(cache, outs), progress)
        oids = objects(outs, cache.read)
        members = []
        for done, oid in enumerate(oids, start=1):
            members.append(_object_member(cache, oid))
            progress("hashing", done, len(oids))
        manifest = Manifest(
            WITH_PROVENANCE if PROVENANCE in documents else FORMAT,
            release.tag.name,
            record.stage_tag,
            release.commit,
            record.model_sha256,
            {output.path: output.md5 for output in outs},
            (*(_member(path, content) for path, content in documents.items()), *members),
        )
        require_released(manifest)
        with partial.open("wb") as file:
            _write(file, manifest, documents, cache, progress)
        size, sha256 = partial.stat().st_size, standalone.digest(partial, "sha256")
    return CreatedArchive(str(target), size, sha256, manifest)


def _require_new(target: Path) -> None:
    if target.exists():
        raise DataError(f"`{target}` exists", hint="remove it, or name another file with `--output`")


def _record(release: tags.Release) -> Record:
    record = parse(release.tag.message)
    if record is None or release.tag.name != f"{record.tier}@{record.version}":
        raise DataError(
            f"`{release.tag.name}` has no record of its model: `gogooku3 promote` did not make it",
            hint="archive a release that `gogooku3 promote` made",
        )
    if record.stage_tag is not None and not tags.marks_best(record.stage_tag, record.tier):
        raise DataError(
            f"`{release.tag.name}` names {record.stage_tag!r}, which does not mark the best of its tier",
            hint="do not trust the tag, it was forged or edited: ask its author",
        )
    return record


def _weights(cache: Store, outs: list[lock.Output]) -> Path | None:
    """The cached file of the packaged weights; None if the release has none, which is refused later."""
    oid = next((output.md5 for output in outs if output.path == str(paths.PACKAGED_WEIGHTS)), None)
    return None if oid is None else cache.file(oid)


def _documents(
    root: Path, release: tags.Release, record: Record, weights: Path | None, progress: Progress
) -> dict[str, bytes]:
    """The members before the objects, in order."""
    requirements = git.show(root, release.commit, paths.REQUIREMENTS)
    if requirements is None:
        raise DataError(
            f"`{paths.REQUIREMENTS}` is not in commit {release.commit[:10]}",
            hint="archive a release with locked libraries",
        )
    with tempfile.TemporaryDirectory() as folder:
        bundle_file = Path(folder) / BUNDLE
        bundle(root, release.tag.name, record.stage_tag, bundle_file)
        documents = {
            README: readme(root, release, record, weights).encode(),
            SCRIPT: Path(standalone.__file__).read_bytes(),
            BUNDLE: bundle_file.read_bytes(),
            REQUIREMENTS: requirements.encode(),
        }
    if record.provenance is not None:
        documents[PROVENANCE] = fetch_provenance(root, release.tag.name, record.provenance, progress=progress)
    return documents


def _member(path: str, content: bytes) -> Member:
    return Member(path, len(content), hashlib.sha256(content).hexdigest())


class _Hasher:
    """A sink that computes the SHA-256 of the written bytes."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self.write = self._sha256.update

    def hexdigest(self) -> str:
        return self._sha256.hexdigest()


def _object_member(cache: Store, oid: str) -> Member:
    """The member for an object; reads and hashes it."""
    hasher = _Hasher()
    size = _copy(cache, oid, cast(BinaryIO, hasher))
    return Member(member_path(oid), size, hasher.hexdigest())


def _copy(cache: Store, oid: str, sink: BinaryIO) -> int:
    """Copies an object, hashed on the way, and returns its size."""
    stored = cache.digest(oid, sink)
    if stored is None or stored.size is None or stored.md5 != oid.removesuffix(".dir"):
        raise DataError(f"the object `{oid}` changed in {cache.name} while it was archived", hint="try again")
    return stored.size


def _write(file: BinaryIO, manifest: Manifest, documents: dict[str, bytes], cache: Store, progress: Progress) -> None:
    encoded = manifest.encode()
    file.write(header(MANIFEST, len(encoded)) + encoded + padding(len(encoded)))
    for done, member in enumerate(manifest.files, start=1):
        file.write(header(member.path, member.size))
        if member.object is None:
            file.write(documents[member.path])
        else:
            _copy(cache, member.object, file)
        file.write(padding(member.size))
        progress("writing", done, len(manifest.files))
    file.write(end(file.tell()))
