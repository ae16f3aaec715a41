"""`audit --gc-flags`: makes sure that `dvc gc` keeps the objects of every tag, and names the flags for it.

`dvc gc` keeps the objects of the revisions that its flags name, and deletes all others: from the local cache, and with
`--cloud` from the bucket. It knows only the tags of the clone that it runs in, and it deletes the files of a directory
whose listing it cannot read.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from gogooku3.errors import DataError, RefusedError, abbreviate
from gogooku3.recovery.audit import Audit, audit
from gogooku3.recovery.releases import git, publish
from gogooku3.recovery.storage.lock import locked_tags, outputs
from gogooku3.recovery.storage.open import open_cache, open_remote
from gogooku3.recovery.storage.repair import copy_object
from gogooku3.recovery.storage.scan import Progress

FLAGS = ("--workspace", "--all-branches", "--all-tags", "--all-experiments")
"""Flags of `dvc gc`: with them it keeps the objects of the working tree, and of all branches, tags and experiments."""


def protect_tags(root: Path, *, deep: bool, progress: Progress) -> Audit:
    """Audits every tag, and caches the listing of each directory; if it passed, `FLAGS` keep all their objects.

    Raises:
        RefusedError: the Git remote has tags that this clone lacks, or a tag is not of a commit.
        DataError: no tag has a `dvc.lock`, or one cannot be read.
        GitError: the Git remote cannot be read.
        StoreError: the bucket cannot be used.
    """
    _require_remote_tags(root)
    _require_commits(root)
    tags = locked_tags(root)
    if not tags:
        raise DataError("no tag has a `dvc.lock`", hint="`dvc gc --all-commits` keeps the objects of every commit")
    result = audit(root, tags, deep=deep, progress=progress)
    if result.passed:
        _cache_listings(root, tags)
    return result


def _require_remote_tags(root: Path) -> None:
    remote = publish.remote_of(root)
    if remote is None:
        return
    missing, different = publish.unlike(root, publish.tags_of(root, remote))
    if missing or different:
        force = "--force " if different else ""
        raise RefusedError(
            f"the Git remote `{remote}` has other tags than this clone: {abbreviate(sorted([*missing, *different]))};"
            " `dvc gc` would delete their objects",
            hint=f"`git fetch {force}--tags {shlex.quote(remote)}`, then the same command",
        )


def _require_commits(root: Path) -> None:
    """Refuses tags of files and folders: `dvc gc --all-tags` ends with an error at the first."""
    form = "--format=%(objecttype) %(*objecttype) %(refname:strip=2)"
    rows = (line.split(" ", 2) for line in git.run(root, "for-each-ref", "refs/tags", form).splitlines())
    others = [name for kind, peeled, name in rows if "commit" not in (kind, peeled)]
    if others:
        raise RefusedError(
            f"`dvc gc --all-tags` reads tags of commits only, and these are not: {abbreviate(others)}",
            hint=f"remove them in this clone: `git tag --delete {shlex.join(others)}`",
        )


def _cache_listings(root: Path, tags: list[str]) -> None:
    """Copies the listings that the local cache lacks from the bucket."""
    cache, remote = open_cache(root), open_remote(root)
    for oid in sorted({output.md5 for tag in tags for output in outputs(root, tag) if output.is_dir}):
        cached = cache.digest(oid)
        intact = cached is not None and cached.md5 == oid.removesuffix(".dir")
        if not intact and not copy_object(oid, remote, cache):
            raise DataError(f"the listing `{oid}` is lost in {remote.name}", hint="run `gogooku3 audit --all-tags`")
