"""What may be in an archive: files, in places inside the repository, and nothing that leads out of it."""

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

_HINT = "it cannot be archived; a file that asks for it was not made by `gogooku3 archive create`"


def objects(outs: Iterable[Output], read: Callable[[str], bytes | None]) -> list[str]:
    """Every object of some outputs, files of directories included, sorted by name.

    Args:
        read: gives a listing's bytes.

    Raises:
        DataError: a listing is none, or leads out of its directory.
    """
    found = set()
    for output in outs:
        found.add(output.md5)
        if output.is_dir:
            listing = entries(output.md5, read(output.md5))
            if listing is None:
                raise DataError(
                    f"`{output.path}`: the object `{output.md5}` lists no files that lie in a directory", hint=_HINT
                )
            found |= {entry.md5 for entry in listing}
    return sorted(found)


def require_plain(root: Path, commit: str) -> None:
    """Raises `DataError` where a commit holds anything but files, such as a symbolic link."""
    for line in git.run(root, "ls-tree", "-r", "-z", commit).split("\0")[:-1]:
        mode, _, rest = line.partition(" ")
        if mode not in FILE_MODES:
            path = rest.partition("\t")[2]
            raise DataError(f"{path!r} of commit {commit[:10]} is a link or a submodule, not a file", hint=_HINT)


def require_released(manifest: Manifest) -> None:
    """Raises `MismatchError` where the weights among the outputs are not those that the tag names."""
    oid = manifest.outputs.get(str(paths.PACKAGED_WEIGHTS))
    require_model(manifest.tag, manifest.model_sha256, None if oid is None else manifest.objects[oid].sha256)


def disagree(what: str) -> MismatchError:
    """Of an archive whose parts, whole as each may be, are not of one release."""
    return MismatchError(
        f"the archive is not of one release: {what}",
        hint="it was not made by `gogooku3 archive create`: take another copy, and trust nothing of this one",
    )
