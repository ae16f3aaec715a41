"""`repository.bundle`: a deterministic Git bundle of a release's tags and their history."""

from __future__ import annotations

import tempfile
from pathlib import Path

from gogooku3.errors import DataError, GitError
from gogooku3.recovery.releases import git, tag_objects

_CANONICAL = """
[core]
    bigFileThreshold = 512m
    commitGraph = false
    compression = -1
[fetch]
    fsckObjects = true
    writeCommitGraph = false
[gc]
    auto = 0
[maintenance]
    auto = false
[pack]
    allowPackReuse = false
    compression = -1
    deltaCacheLimit = 1000
    deltaCacheSize = 256m
    depth = 50
    packSizeLimit = 0
    threads = 1
    useBitmaps = false
    useSparse = false
    window = 10
    windowMemory = 0
[repack]
    useDeltaBaseOffset = true
    useDeltaIslands = false
    writeBitmaps = false
"""
"""Fixed Git settings that override the machine's: with one version of Git they make packs deterministic."""


def bundle(root: Path, tag: str, stage_tag: str | None, target: Path) -> None:
    """Writes a bundle of a version tag, its stage tag, and their history.

    The bundle is made from a freshly packed repository with nothing else in it. If the version tag is not signed, the
    stage tag is made as a renamed copy of it, so a clone without the stage tag makes the same bundle.

    Raises `GitError` if the history is incomplete (a shallow clone), or a signed stage tag is missing.
    """
    if git.run(root, "rev-parse", "--is-shallow-repository").strip() == "true":
        raise GitError(f"`{root}` is a shallow clone", hint="get its full history with `git fetch --unshallow`")
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        # Not a bare repository: `safe.bareRepository` would forbid its use.
        git.run(fresh, "init", "--quiet", "--template=", "--object-format=sha1")
        with (fresh / ".git/config").open("a", encoding="utf-8") as config:
            config.write(_CANONICAL)
        _fetch(root, fresh, tag)
        if stage_tag is not None:
            version_tag = next(each for each in tag_objects.annotated_tags(fresh) if each.name == tag)
            if version_tag.signature:
                _fetch(root, fresh, stage_tag)
            else:
                tag_objects.create_tags(
                    fresh, {stage_tag: tag_objects.renamed(tag_objects.read(fresh, version_tag), stage_tag)}
                )
        refs = [f"refs/tags/{name}" for name in (tag, stage_tag) if name is not None]
        git.run(fresh, "repack", "--quiet", "-a", "-d", "-f", "-F")
        git.run(fresh, "bundle", "create", "--quiet", str(target.absolute()), *refs)


def _fetch(root: Path, target: Path, tag: str) -> None:
    ref = f"refs/tags/{tag}"
    try:
        git.run(target, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", str(root.absolute()), f"{ref}:{ref}")
    except GitError as error:
        raise GitError(error.message, hint=f"get the tag `{tag}` with `git fetch --tags`") from None


def tags_in(file: Path) -> set[str]:
    """The references in a bundle, tags by their names; raises `DataError` if the file is not a bundle."""
    try:
        heads = git.run(file.parent, "bundle", "list-heads", str(file.absolute()))
    except GitError as error:
        raise unreadable(error) from None
    return {line.partition(" ")[2].removeprefix("refs/tags/") for line in heads.splitlines()}


def unreadable(error: GitError) -> DataError:
    """Git's error for an invalid bundle as a `DataError`."""
    reason = " ".join(error.message.split())
    return DataError(f"the Git bundle of the archive cannot be read: {reason}", hint="use another copy of the archive")
