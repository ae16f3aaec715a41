"""`tiers`: the released versions by tier, read from the tags."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from gogooku3.recovery.audit import audit
from gogooku3.recovery.releases import tags
from gogooku3.recovery.releases.record import Record, parse


@dataclass(frozen=True)
class Tier:
    """One released version."""

    tier: str
    version: str
    tag: str
    best: bool
    """Whether it has the stage `best`."""
    commit: str
    record: Record | None
    """None for a tag that `promote` did not make."""
    in_bucket: bool | None
    """Whether the bucket has all its objects; None if this was not checked."""
    object_of: str | None = None
    """The tag whose object this is, if it was put under another name: not a release."""


def tiers(root: Path, *, check: bool = False) -> list[Tier]:
    """Every version of every tier, by tier and version, then tags that are objects of other tags; empty without tags.

    Args:
        root: the working tree's root.
        check: audit the bucket for the versions that `promote` made, in one scan.

    Raises:
        StoreError: the bucket is to be audited and cannot be reached.
    """
    registry = tags.read(root)
    records = {release: parse(release.tag.message) for release in registry.releases}
    promoted = [release.commit for release, record in records.items() if record] if check else []
    damaged = {problem.rev for problem in audit(root, promoted).problems} if promoted else set()
    released = [
        Tier(
            tier=release.tier,
            version=str(release.version),
            tag=release.tag.name,
            best=release == registry.best(release.tier),
            commit=release.commit,
            record=record,
            in_bucket=release.commit not in damaged if check and record else None,
        )
        for release, record in records.items()
    ]
    renamed = [
        Tier(
            tier=match["tier"],
            version=match["version"],
            tag=tag.name,
            best=False,
            commit=tag.commit,
            record=None,
            in_bucket=None,
            object_of=tag.recorded_name,
        )
        for tag in registry.renamed
        if (match := re.fullmatch(r"(?P<tier>.*?)[@#](?P<version>.*)", tag.name))
    ]
    return released + renamed
