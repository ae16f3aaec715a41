"""`recover`: a release's model on a machine that has never seen the project, proven to be that model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gogooku3 import paths
from gogooku3.recovery.pull import pull
from gogooku3.recovery.releases import tags
from gogooku3.recovery.releases.clone import clone
from gogooku3.recovery.releases.record import parse, require_model
from gogooku3.recovery.sandbox.program import verified
from gogooku3.recovery.storage import lock
from gogooku3.recovery.storage.fetch import Fetched
from gogooku3.recovery.storage.scan import Progress
from gogooku3.runtime.files import sha256_file


@dataclass(frozen=True)
class Recovery:
    """A release as it was brought back."""

    folder: str
    tag: str
    commit: str
    data: bool
    """Whether quotes, dataset and predictions came along."""
    fetched: Fetched
    verdict: dict[str, Any]
    """What `verify --json` says of the package."""

    @property
    def good(self) -> bool:
        """Whether the package is what it says it is."""
        return bool(self.verdict["good"])


def recover(
    url: str,
    name: str,
    target: Path,
    *,
    data: bool = False,
    settings: Path | None = None,
    also: Sequence[Path] = (),
    progress: Progress = lambda _what, _done, _total: None,
) -> Recovery:
    """Clones a repository at a release, brings its models from wherever they are whole, and verifies the package.

    Interrupted, the same call continues: a clone is whole or not there, and an object that was brought stays.

    Args:
        url: the Git repository.
        name: `TIER` for its best version, or `TIER@VERSION`.
        target: the new clone.
        data: bring quotes, dataset and predictions too.
        settings: DVC settings for the clone: another bucket, credentials.
        also: further places for objects that the remotes lack: clones, caches, archives.

    Raises:
        DataError: no such release, or objects that nobody has whole; the clone and what was brought stay.
        MismatchError: the model is not the one whose hash the tag records.
        RefusedError: `target` holds something else.
        StoreError, GitError: the bucket or the repository cannot be reached.
    """
    progress("cloning", 0, 1)
    release = clone(url, name, target, settings)
    outs = [output for output in lock.outputs(target, None) if data or not Path(output.path).is_relative_to(paths.DATA)]
    fetched = pull(target, outs, also, progress)
    require_recorded(target, release)
    progress("verifying", 0, 1)
    return Recovery(str(target), release.tag.name, release.commit, data, fetched, verified(target / paths.PACKAGE))


def require_recorded(root: Path, release: tags.Release) -> None:
    """Raises `MismatchError` where the package's weights are not those that the tag records, if it records any."""
    if record := parse(release.tag.message):
        require_model(release.tag.name, record.model_sha256, sha256_file(root / paths.PACKAGED_WEIGHTS))
