"""The object of a release's provenance: in the local cache, in the remotes, and in a recovered clone.

The text is untrusted: size and SHA-256 are compared with the tag's record, and nothing here parses it.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gogooku3 import paths
from gogooku3.errors import DataError, MismatchError, RefusedError
from gogooku3.recovery.provenance.document import Document
from gogooku3.recovery.provenance.objects import FOLDER, LARGEST, objects_of, put
from gogooku3.recovery.releases import git, tags
from gogooku3.recovery.releases.record import Provenance, parse
from gogooku3.recovery.sources import open_sources
from gogooku3.recovery.storage.fetch import fetch
from gogooku3.recovery.storage.lock import Output
from gogooku3.recovery.storage.open import open_cache, open_remote
from gogooku3.recovery.storage.repair import repair_objects
from gogooku3.recovery.storage.scan import Progress, scan


def file_of(tag: str) -> Path:
    """The file of a release's provenance in a recovered clone."""
    return paths.PROVENANCE / f"{tag.replace('/', '-')}.json"


def keep(root: Path, document: Document) -> Provenance:
    """Puts a provenance into the local cache and returns its entry for the tag's record."""
    content = document.content
    return Provenance(
        hashlib.sha256(content).hexdigest(),
        put(open_cache(root), content),
        len(content),
        document.training_seconds,
        document.hardware,
    )


def push(root: Path, tag: str, provenance: Provenance, progress: Progress) -> None:
    """Uploads a provenance from the local cache to the bucket, and reads it back.

    Raises:
        RefusedError: it is not there, or not intact.
        StoreError: the bucket cannot be used.
    """
    cache, remote = objects_of(open_cache(root)), objects_of(open_remote(root))
    outs = [output_of(tag, provenance)]
    scanned = scan(remote, (), outs, deep=True, progress=progress)
    if scanned.damage:
        repair_objects(remote, cache, scanned, progress)
        scanned = scan(remote, (), outs, deep=True, progress=progress)
    for damage in scanned.damage.values():
        raise RefusedError(
            f"the provenance of `{tag}` is {damage.kind} in {remote.name} after the push", hint="run the command again"
        )


def fetch_provenance(
    root: Path,
    tag: str,
    provenance: Provenance,
    also: Sequence[Path] = (),
    progress: Progress = lambda _what, _done, _total: None,
) -> bytes:
    """The provenance of a release, from the local cache or the first source with an intact copy.

    Raises:
        DataError: no source has an intact copy.
        StoreError: a source cannot be used, and no other has it.
        MismatchError: it does not have the SHA-256 that the tag records.
    """
    cache = open_cache(root)
    with open_sources(root, also) as sources:
        others = (objects_of(source) for source in sources)
        fetch(objects_of(cache), others, [output_of(tag, provenance)], progress).require_complete()
    file = objects_of(cache).file(provenance.md5)
    size = file.stat().st_size
    content = file.read_bytes() if size == provenance.size <= LARGEST else b""
    if not content or hashlib.sha256(content).hexdigest() != provenance.sha256:
        raise MismatchError(
            f"`{tag}` records a provenance of {provenance.size:,} bytes with SHA-256 {provenance.sha256}; the object"
            f" {provenance.md5} of {size:,} bytes is another one",
            hint="do not trust the tag or the object, one of them was forged: ask the author of the release",
        )
    return content


def write(root: Path, tag: str, content: bytes) -> Path:
    """Writes a release's provenance into a clone and returns its path there.

    Raises `DataError` if a link of the commit leads out of the clone.
    """
    target = root / file_of(tag)
    if not target.parent.resolve().is_relative_to(root.resolve()):
        raise DataError(
            f"the path `{file_of(tag)}` leads out of the repository through a link",
            hint="if the link is part of the revision, do not trust the revision",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    # Under a new name: the commit may have a link at any other.
    descriptor, name = tempfile.mkstemp(dir=target.parent)
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        partial.chmod(0o644)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return file_of(tag)


def outputs_at(root: Path, rev: str, registry: tags.Registry) -> list[Output]:
    """The provenance of each release at a revision, in the form of an output."""
    commit = git.commit_of(root, rev)
    records = {
        release.tag.name: parse(release.tag.message) for release in registry.registered if release.commit == commit
    }
    return [output_of(tag, record.provenance) for tag, record in records.items() if record and record.provenance]


def output_of(tag: str, provenance: Provenance) -> Output:
    """A provenance in the form of an output, for scans and fetches."""
    return Output(FOLDER, str(file_of(tag)), provenance.md5, provenance.size, None, is_dir=False)
