"""Check of the release tags: `dvc artifacts get --stage best` gets the version that is the best."""

from __future__ import annotations

from pathlib import Path

from gogooku3.recovery.checks.verdict import Finding
from gogooku3.recovery.releases import tags


def best(root: Path) -> Finding:
    """Check: DVC takes the same version of each tier for the best as GTO and gogooku3 do.

    DVC reads the newest tag of a stage, even if that one revokes it.
    """
    registry = tags.read(root)
    tiers = sorted({each.tier for each in registry.assignments if each.stage == tags.BEST})
    found, hints = [], []
    for tier in tiers:
        right, gets = registry.best(tier), registry.best_for_dvc(tier)
        if gets is None or (right is not None and right.commit == gets):
            continue
        name = "no version" if right is None else f"`{right.tag.name}`"
        found.append(f"`{tier}`: `dvc artifacts get --stage best` gets commit {gets[:10]}, but {name} is the best")
        hints.append(
            f"name a version: `dvc artifacts get URL {tier} --rev VERSION`"
            if right is None
            else f"mark it again: `gto assign {tier} --version {right.version} --stage best --force`, and push that tag"
        )
    if found:
        return Finding("failed", "; ".join(found), "; ".join(hints))
    return Finding("passed", "the same for DVC and GTO" if tiers else "no tier has one yet")
