"""Tags of a release: one registers the version, the other marks it as the best of its tier."""

from __future__ import annotations

from pathlib import Path

from gogooku3.recovery.releases import git, tags
from gogooku3.recovery.releases.record import Record, message, parse


def new_tags(root: Path, record: Record, commit: str, *, later_than: int, sign: bool) -> dict[str, str]:
    """Contents of the version tag and, if the model is the best of its tier, of the stage tag, by name.

    The stage tag is a renamed copy of the version tag, except for its signature. No tag is made yet.

    Args:
        later_than: time of the tier's newest tag, in seconds since 1970.
        sign: sign them as the user's Git settings say.

    Raises:
        GitError: no committer is configured, or the tags cannot be signed.
    """
    name = f"{record.tier}@{record.version}"
    contents = {name: git.tag_object(root, name, commit, message(record), later_than=later_than)}
    if record.stage_tag:
        contents[record.stage_tag] = git.renamed(contents[name], record.stage_tag)
    return {each: git.sign_tag(root, content) for each, content in contents.items()} if sign else contents


def finish_stage_tags(root: Path, tier: str) -> list[str]:
    """Creates missing stage tags that version tags of the tier name in their messages.

    A stage tag is missing after a crash between two references of one transaction, or after a `git fetch` of the
    version tag alone. The created tag object is byte-identical to the lost one, unless that was signed: then the user
    signs the created one.

    Raises:
        GitError: a signed one is missing and cannot be signed.
    """
    registry = tags.read(root)
    missing = {
        record.stage_tag: release.tag
        for release in registry.of(tier)
        if (record := parse(release.tag.message)) and record.stage_tag and record.stage_tag not in registry.names
    }
    if missing:
        git.create_tags(root, {name: _stage_tag(root, name, tag) for name, tag in missing.items()})
    return list(missing)


def _stage_tag(root: Path, name: str, version_tag: git.AnnotatedTag) -> str:
    content = git.renamed(git.read_tag_object(root, version_tag), name)
    return git.sign_tag(root, content) if version_tag.signature else content
