"""`archive restore`: a release from its archive, without network or remote, proven to be what was released."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gogooku3 import paths
from gogooku3.errors import DataError
from gogooku3.recovery.archive.contents import disagree, objects, require_released
from gogooku3.recovery.archive.manifest import REQUIREMENTS, STORE
from gogooku3.recovery.archive.read import Archive, open_archive
from gogooku3.recovery.archive.release import cloned
from gogooku3.recovery.pull import checkout
from gogooku3.recovery.releases import git
from gogooku3.recovery.releases.clone import LOCAL_SETTINGS, require_vacant
from gogooku3.recovery.sandbox.program import run_verify
from gogooku3.recovery.storage import lock
from gogooku3.runtime.files import replaced

CACHE = Path(".dvc/cache")
_OWN_CACHE = "[cache]\n    dir = cache\n"
"""Whatever cache this machine or the archived repository would use: what is restored stands by itself."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Restored:
    """A release as it came out of its archive."""

    folder: str
    tag: str
    commit: str
    objects: int
    verdict: dict[str, Any]
    """What `verify --json` says of the package."""

    @property
    def good(self) -> bool:
        """Whether the package is what it says it is."""
        return bool(self.verdict["good"])


def restore(file: Path, target: Path, *, progress: Progress = lambda step: None) -> Restored:
    """Makes a clone at an archive's release, with all objects in its cache and all outputs in their places.

    The clone is complete under its name, or not there.

    Raises:
        DataError: the file is no archive, not as it was made, or leads out of the folder.
        MismatchError: its parts are not of one release.
        RefusedError: `target` holds something already, or is where the caller stands.
    """
    target = require_vacant(target)
    with open_archive(file) as archive, replaced(target) as folder:
        manifest = archive.manifest
        progress("cloning")
        cloned(archive, folder)
        _require_own(folder)
        progress("objects")
        archive.extract(manifest.objects.values(), folder / CACHE, within=STORE)
        (folder / LOCAL_SETTINGS).write_text(_OWN_CACHE, encoding="utf-8")
        _require_same_lock(archive, folder)
        outs = _outputs(archive, folder)
        progress("outputs")
        checkout(folder, outs)
        progress("verifying")
        verdict = _moved(run_verify(folder / paths.PACKAGE), folder, target)
    return Restored(str(target), manifest.tag, manifest.commit, len(manifest.objects), verdict)


def _require_own(folder: Path) -> None:
    """Refuses a repository that brings what only DVC on this machine writes."""
    for place in (CACHE, LOCAL_SETTINGS, Path(".dvc/tmp")):
        if (folder / place).exists():
            raise DataError(
                f"the archive's repository holds `{place}`, which is never committed",
                hint="it was not made by `gogooku3 archive create`: take another copy",
            )


def _require_same_lock(archive: Archive, folder: Path) -> None:
    """The lock file beside the repository is the one inside."""
    member = next(member for member in archive.manifest.files if member.path == REQUIREMENTS)
    if (git.show(folder, "HEAD", paths.REQUIREMENTS) or "").encode() != archive.read(member):
        raise disagree(f"its `{paths.REQUIREMENTS}` is not that of its commit")


def _outputs(archive: Archive, folder: Path) -> list[lock.Output]:
    """The outputs that `dvc.lock` at the release records, if they are, with all their objects, those of the archive."""
    manifest = archive.manifest
    outs = lock.outputs(folder, None)
    recorded = {output.path: output.md5 for output in outs}
    if recorded != manifest.outputs:
        different = sorted(path for path, _ in recorded.items() ^ manifest.outputs.items())
        raise disagree(f"`dvc.lock` and the manifest name other objects for `{different[0]}`")
    needed = objects(outs, lambda oid: archive.read(manifest.objects[oid]))
    if different := sorted(manifest.objects.keys() ^ set(needed)):
        raise disagree(f"the object `{different[0]}` is {'missing' if different[0] in needed else 'of no output'}")
    require_released(manifest)
    return outs


def _moved(verdict: dict[str, Any], folder: Path, target: Path) -> dict[str, Any]:
    """A verdict that speaks of the folder under its final name."""
    before, after = (json.dumps(str(path))[1:-1] for path in (folder, target))
    moved: dict[str, Any] = json.loads(json.dumps(verdict).replace(before, after))
    return moved
