"""Safety checks on an archive's contents: regular files with paths inside the repository only, of one release."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from gogooku3 import paths
from gogooku3.errors import DataError, MismatchError
from gogooku3.recovery.archive.manifest import Manifest
from gogooku3.recovery.archive.standalone import FILE_MODES
from gogooku3.recovery.releases import git
from gogooku3.recovery.releases.record import require_model
from gogooku3.recovery.storage.listing import entries
from gogooku3.recovery.storage.lock import Output

_HINT = "such a release cannot be archived; do not trust an archive of one: `gogooku3 archive create` did not make it"


def objects(outs: Iterable[Output], read: Callable[[str], bytes | None]) -> list[str]:
    """Every object of the outputs, files inside directories included, sorted by name.

    Args:
        read: returns a listing's bytes.

    Raises:
        DataError: a listing is not valid, or has a path outside its directory.
    """
    oids = set()
    for output in outs:
        oids.add(output.md5)
        if output.is_dir:
            listing = entries(output.md5, read(output.md5))
            if listing is None:
                raise DataError(
                    f"`{output.path}`: the object `{output.md5}` is not a valid listing of a directory", hint=_HINT
                )
            oids |= {entry.md5 for entry in listing}
    return sorted(oids)


def require_regular_files(root: Path, commit: str) -> None:
    """Raises `DataError` if a commit contains anything but regular files, such as a symbolic link."""
    for line in git.run(root, "ls-tree", "-r", "-z", commit).split("\0")[:-1]:
        mode, _, rest = line.partition(" ")
        if mode not in FILE_MODES:
            path = rest.partition("\t")[2]
            raise DataError(f"{path!r} of commit {commit[:10]} is a link or a submodule, not a file", hint=_HINT)


def require_released(manifest: Manifest) -> None:
    """Raises `MismatchError` if the weights among the outputs do not have the SHA-256 that the tag records."""
    oid = manifest.outputs.get(str(paths.PACKAGED_WEIGHTS))
    require_model(manifest.tag, manifest.model_sha256, None if oid is None else manifest.objects[oid].sha256)


def inconsistent(reason: str) -> MismatchError:
    """The error for an archive whose parts are from different releases, even if each part is intact."""
    return MismatchError(
        f"the archive's parts are not from one release: {reason}",
        hint="use another copy, and do not trust this one: `gogooku3 archive create` did not make it",
    )
