"""Tags of a release: one registers the version, the other marks it as the best of its tier."""

from __future__ import annotations

from pathlib import Path

from gogooku3.recovery.releases import signatures, tag_objects, tags
from gogooku3.recovery.releases.record import Record, message, stage_tag_of


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
    contents = {name: tag_objects.new_object(root, name, commit, message(record), later_than=later_than)}
    if record.stage_tag:
        contents[record.stage_tag] = tag_objects.renamed(contents[name], record.stage_tag)
    return {each: signatures.sign(root, content) for each, content in contents.items()} if sign else contents


def finish_stage_tags(root: Path, tier: str) -> list[str]:
    """Creates missing stage tags that version tags of the tier name in their records.

    A stage tag is missing after a crash between two references of one transaction, or after a `git fetch` of the
    version tag alone. The created tag object is byte-identical to the lost one. Those of signed version tags are left
    out: a copy would not be signed, and no key signs what another user's tag asks for.
    """
    registry = tags.read(root)
    unsigned = [release.tag for release in registry.of(tier) if not release.tag.signature]
    missing = {name: tag for tag in unsigned if (name := stage_tag_of(tag)) and name not in registry.names}
    if missing:
        tag_objects.create_tags(
            root, {name: tag_objects.renamed(tag_objects.read(root, tag), name) for name, tag in missing.items()}
        )
    return list(missing)
