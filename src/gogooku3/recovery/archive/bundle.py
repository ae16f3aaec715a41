"""`repository.bundle`: a release's tags with their history, the same bytes however the repository is packed."""

from __future__ import annotations

import tempfile
from pathlib import Path

from gogooku3.errors import DataError, GitError
from gogooku3.recovery.releases import git

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
"""Whatever a machine's own settings say: a pack follows from what is in it and from these, for one version of Git."""


def bundle(root: Path, tag: str, stage_tag: str | None, target: Path) -> None:
    """Writes a bundle of a version's tag, its stage's tag, and the history of both.

    It is made from a repository that holds nothing else and was packed anew. The stage's tag is made from the
    version's, of which it is the renamed copy, so that a clone that lacks it makes the same bundle.

    Raises `GitError` where the history is not all here.
    """
    if git.run(root, "rev-parse", "--is-shallow-repository").strip() == "true":
        raise GitError(f"`{root}` lacks a part of its history", hint="`git fetch --unshallow`")
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder)
        git.run(bare, "init", "--quiet", "--bare", "--template=")
        with (bare / "config").open("a", encoding="utf-8") as config:
            config.write(_CANONICAL)
        ref = f"refs/tags/{tag}"
        git.run(bare, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", str(root.absolute()), f"{ref}:{ref}")
        refs = [ref]
        if stage_tag is not None:
            own = next(found for found in git.annotated_tags(bare) if found.name == tag)
            git.create_tags(bare, {stage_tag: git.renamed(git.read_tag_object(bare, own), stage_tag)})
            refs.append(f"refs/tags/{stage_tag}")
        git.run(bare, "repack", "--quiet", "-a", "-d", "-f", "-F")
        git.run(bare, "bundle", "create", "--quiet", str(target.absolute()), *refs)


def tags_in(file: Path) -> set[str]:
    """The references that a bundle brings, tags by their names; raises `DataError` for a file that is no bundle."""
    try:
        heads = git.run(file.parent, "bundle", "list-heads", str(file.absolute()))
    except GitError as error:
        raise unreadable(error) from None
    return {line.partition(" ")[2].removeprefix("refs/tags/") for line in heads.splitlines()}


def unreadable(error: GitError) -> DataError:
    """What Git says of a bundle that it refuses."""
    said = " ".join(error.message.split())
    return DataError(f"the Git bundle of the archive cannot be read: {said}", hint="take another copy of the archive")
