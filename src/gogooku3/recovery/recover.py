"""`recover`: restores a released model on a new machine and verifies it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gogooku3 import paths
from gogooku3.errors import UserError, filesystem_error
from gogooku3.recovery.provenance import stored
from gogooku3.recovery.pull import pull
from gogooku3.recovery.releases import headline, tags
from gogooku3.recovery.releases.clone import claimed, clone
from gogooku3.recovery.releases.record import parse, require_model
from gogooku3.recovery.sandbox.program import run_verify
from gogooku3.recovery.storage import lock
from gogooku3.recovery.storage.fetch import FetchResult
from gogooku3.recovery.storage.scan import Progress
from gogooku3.runtime.files import sha256_file


@dataclass(frozen=True)
class Recovery:
    """A recovered release."""

    folder: str
    tag: str
    commit: str
    data: bool
    """Whether quotes, dataset and predictions were fetched too."""
    fetched: FetchResult
    recorded: bool
    """Whether the tag records the model's SHA-256. Without it nothing shows that this is the released model."""
    verdict: dict[str, Any]
    """The output of `verify --json` for the package."""
    provenance: str | None = None
    """The file of the release's provenance in the clone; None if the tag names none, or it was not found."""
    provenance_lost: str | None = None
    """Why a provenance that the tag names is not there; the model does not depend on it."""

    @property
    def good(self) -> bool:
        """Whether the package passed verification."""
        return bool(self.verdict["good"])


def recover(
    url: str,
    name: str,
    target: Path,
    *,
    data: bool = False,
    settings: Path | None = None,
    trusted_keys: Path | None = None,
    also: Sequence[Path] = (),
    progress: Progress = lambda _what, _done, _total: None,
) -> Recovery:
    """Clones a repository at a release, fetches its models from the sources with intact copies, verifies the package.

    After an interruption the same call resumes: the clone is complete or does not exist, and fetched objects stay.

    Args:
        url: the Git repository.
        name: `TIER` (its best version) or `TIER@VERSION`.
        target: the new clone.
        data: fetch quotes, dataset and predictions too.
        settings: DVC settings for the clone: another bucket, credentials.
        trusted_keys: SSH keys in Git's allowed-signers format, one of which must have signed the tag.
        also: additional sources for objects that the remotes lack: clones, caches, archives.

    Raises:
        DataError: no such release, or no source has an intact copy of an object; clone and fetched objects stay.
        MismatchError: the model's SHA-256 or the metrics are not those that the tag records, the tag's signature is
            not valid, or no trusted key signed it.
        RefusedError: `target` contains something else, or another process is working on it.
        StoreError, GitError: the bucket or the repository cannot be reached.
    """
    with claimed(target):
        progress("cloning", 0, 1)
        release = clone(url, name, target, settings, trusted_keys)
        recorded_outs = lock.outputs(target, None)
        outs = [output for output in recorded_outs if data or not Path(output.path).is_relative_to(paths.DATA)]
        fetched = pull(target, outs, also, progress)
        recorded = compare_with_record(target, release)
        provenance, lost = _provenance(target, release, also, progress)
        progress("verifying", 0, 1)
        verdict = run_verify(target / paths.PACKAGE, trusted_keys=trusted_keys)
    return Recovery(str(target), release.tag.name, release.commit, data, fetched, recorded, verdict, provenance, lost)


def _provenance(
    target: Path, release: tags.Release, also: Sequence[Path], progress: Progress
) -> tuple[str | None, str | None]:
    """Fetches the release's provenance into the clone: its path there, or why it is not there."""
    record = parse(release.tag.message)
    if record is None or record.provenance is None:
        return None, None
    try:
        content = stored.fetch_provenance(target, release.tag.name, record.provenance, also, progress)
        return str(stored.write(target, release.tag.name, content)), None
    except UserError as error:
        return None, error.message
    except OSError as error:
        return None, filesystem_error(error).message


def compare_with_record(root: Path, release: tags.Release) -> bool:
    """Compares the package's weights, and the commit's metrics, with the tag's record; False without a readable record.

    Raises `MismatchError` if the weights do not have the SHA-256 in the record, or the metrics not its values.
    """
    record = parse(release.tag.message)
    if record is not None:
        require_model(release.tag.name, record.model_sha256, sha256_file(root / paths.PACKAGED_WEIGHTS))
        headline.require_recorded(root, release.tag.name, release.commit, record)
    return record is not None
