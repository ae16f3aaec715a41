"""`archive restore`: restores and verifies a release from its archive, without network or remote."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gogooku3 import paths
from gogooku3.recovery.archive.contents import inconsistent, objects, require_released
from gogooku3.recovery.archive.manifest import REQUIREMENTS, STORE
from gogooku3.recovery.archive.read import Archive, open_archive
from gogooku3.recovery.archive.release import clone_release
from gogooku3.recovery.provenance import stored
from gogooku3.recovery.provenance.objects import put
from gogooku3.recovery.pull import checkout
from gogooku3.recovery.releases import git
from gogooku3.recovery.releases.clone import claimed, require_vacant
from gogooku3.recovery.sandbox.program import run_verify
from gogooku3.recovery.sandbox.workspace import isolate
from gogooku3.recovery.storage import lock
from gogooku3.recovery.storage.open import open_cache
from gogooku3.runtime.files import replaced

CACHE = Path(".dvc/cache")

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Restored:
    """A release that was restored from its archive."""

    folder: str
    tag: str
    commit: str
    objects: int
    verdict: dict[str, Any]
    """The output of `verify --json` for the package."""

    @property
    def good(self) -> bool:
        """Whether the package passed verification."""
        return bool(self.verdict["good"])


def restore(
    file: Path, target: Path, *, trusted_keys: Path | None = None, progress: Progress = lambda step: None
) -> Restored:
    """Makes a clone at an archive's release, with all objects in its cache and all outputs in the working tree.

    It is atomic: the clone is complete or does not exist.

    Args:
        trusted_keys: SSH keys in Git's allowed-signers format, one of which must have signed the tag.

    Raises:
        ConfigError: `trusted_keys` is not a list of trusted signers.
        DataError: the file is not an archive, was altered, or has paths outside the folder.
        MismatchError: its parts are not from one release, the tag's signature is not valid, or no trusted key signed
            it.
        RefusedError: `target` is not empty, or is the current folder, or another process is working on it.
        MachineError: the archive cannot be read, or the disk of `target` is full or cannot be written to.
    """
    target = require_vacant(target)
    with open_archive(file) as archive, claimed(target), replaced(target) as folder:
        require_vacant(target)  # another process may have restored it before this one's turn
        manifest = archive.manifest
        progress("cloning")
        clone_release(archive, folder, trusted_keys)
        progress("objects")
        archive.extract(manifest.objects.values(), folder / CACHE, within=STORE)
        isolate(folder)
        _require_same_lock(archive, folder)
        outs = _outputs(archive, folder)
        progress("outputs")
        checkout(folder, outs)
        if manifest.provenance is not None:
            content = archive.read(manifest.provenance)
            put(open_cache(folder), content)
            stored.write(folder, manifest.tag, content)
        progress("verifying")
        verdict = _with_path(run_verify(folder / paths.PACKAGE, trusted_keys=trusted_keys), folder, target)
        isolate(folder, target)
    return Restored(str(target), manifest.tag, manifest.commit, len(manifest.objects), verdict)


def _require_same_lock(archive: Archive, folder: Path) -> None:
    """Checks that the archive's `requirements.lock` is the commit's."""
    member = next(member for member in archive.manifest.files if member.path == REQUIREMENTS)
    if (git.show(folder, "HEAD", paths.REQUIREMENTS) or "").encode() != archive.read(member):
        raise inconsistent(f"its `{paths.REQUIREMENTS}` is not that of its commit")


def _outputs(archive: Archive, folder: Path) -> list[lock.Output]:
    """The outputs in the release's `dvc.lock`, after a check that they and their objects match the archive's."""
    manifest = archive.manifest
    outs = lock.outputs(folder, None)
    recorded = {output.path: output.md5 for output in outs}
    if recorded != manifest.outputs:
        different = sorted(path for path, _ in recorded.items() ^ manifest.outputs.items())
        raise inconsistent(f"`dvc.lock` and the manifest have different objects for `{different[0]}`")
    needed = objects(outs, lambda oid: archive.read(manifest.objects[oid]))
    if different := sorted(manifest.objects.keys() ^ set(needed)):
        state = "missing" if different[0] in needed else "not part of an output"
        raise inconsistent(f"the object `{different[0]}` is {state}")
    require_released(manifest)
    return outs


def _with_path(verdict: dict[str, Any], folder: Path, target: Path) -> dict[str, Any]:
    """The verdict with the temporary folder's path replaced by the final one."""
    before, after = (json.dumps(str(path))[1:-1] for path in (folder, target))
    replaced_paths: dict[str, Any] = json.loads(json.dumps(verdict).replace(before, after))
    return replaced_paths
