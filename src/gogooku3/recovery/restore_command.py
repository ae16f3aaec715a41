"""The command that brings back what was located: what is near comes before what is far, and that before new work."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gogooku3.errors import abbreviate
from gogooku3.recovery.releases import git, tags
from gogooku3.recovery.storage.lock import Output
from gogooku3.recovery.storage.settings import default_remote


@dataclass(frozen=True)
class Place:
    """One place, and what of the objects looked for it holds."""

    name: str
    where: str
    whole: frozenset[str]
    """Objects that are there with the right bytes."""
    damage: dict[str, str]
    """`missing`, `truncated` or `altered`, by path."""
    unreachable: str = ""
    """Why it could not be asked."""

    @property
    def is_whole(self) -> bool:
        """Whether everything looked for is there, as it must be."""
        return not self.damage and not self.unreachable

    @property
    def spoiled(self) -> list[str]:
        """Paths whose object is there with other bytes: DVC takes these for the object."""
        return [path for path, kind in self.damage.items() if kind != "missing"]

    def __str__(self) -> str:
        if not self.damage:
            return self.unreachable or "whole"
        counts = ", ".join(f"{count} {kind}" for kind, count in Counter(self.damage.values()).items())
        return f"{counts}: {abbreviate(self.damage, limit=3)}"


def restore_command(
    root: Path,
    target: str,
    release: tags.Release | None,
    outs: Sequence[Output],
    paths: Mapping[str, str],
    places: tuple[Place, Place, tuple[Place, ...]],
) -> tuple[bool, str]:
    """Whether there is a way to get it, and the command that goes it; what is near comes first."""
    tree, cache, others = places
    objects = set(paths.values())
    configured = default_remote(root)
    default = next((place for place in others if configured and place.name == configured.name), None)
    stages = shlex.join(dict.fromkeys(output.stage for output in outs))
    away = release is not None and release.commit != git.commit_of(root, "HEAD")
    if objects <= tree.whole:
        return True, "" if away else _saved(stages, paths, cache, default)

    tag = f" {release.tag.name}" if release else ""
    # DVC takes an output, or a file in one, by its path; a folder of several only by their stages.
    path = shlex.quote(target) if len(outs) == 1 and release is None else stages
    force = "--force " if tree.spoiled else ""
    steps = [f"git checkout{tag}"] if away else []
    sources, left = _sources(objects - cache.whole, others)
    if not left and sources == [default] and cache.spoiled:
        steps += [f"gogooku3 audit{tag} --local --repair", f"dvc checkout --force {path}"]
        return True, " && ".join(steps)
    steps += _cleared(cache, paths)
    if left:
        unasked = any(place.unreachable for place in others)
        steps.append(f"dvc repro {stages}")
        return False, "gogooku3 doctor" if unasked else " && ".join(steps)
    if not sources:
        steps.append(f"dvc checkout {force}{path}")
    elif len(sources) == 1:
        remote = "" if sources == [default] else f"--remote {shlex.quote(sources[0].name)} "
        steps.append(f"dvc pull {force}{remote}{path}")
    else:  # each fetch brings what it finds, and complains of the rest
        fetches = (f"dvc fetch --remote {shlex.quote(source.name)} {path}" for source in sources)
        steps.append("; ".join((*fetches, f"dvc checkout {force}{path}")))
    return True, " && ".join(steps)


def _saved(stages: str, paths: Mapping[str, str], cache: Place, default: Place | None) -> str:
    """What lies in the working tree may still be lost elsewhere: the command that puts it there again."""
    objects = set(paths.values())
    repair = ["gogooku3 audit --repair"] if default is not None and default.damage else []
    if objects <= cache.whole:
        return " && ".join(repair)
    if default is not None and objects <= default.whole:
        return "gogooku3 audit --local --repair" if cache.spoiled else ""
    return " && ".join([*_cleared(cache, paths), f"dvc commit --force {stages}", *repair])


def _sources(needed: set[str], others: Iterable[Place]) -> tuple[list[Place], set[str]]:
    """The first places that have something of what is needed, and what nobody has."""
    sources = []
    for place in others:
        if needed & place.whole:
            sources.append(place)
            needed = needed - place.whole
    return sources, needed


def _cleared(cache: Place, paths: Mapping[str, str]) -> list[str]:
    """Removes the cache's files with wrong bytes: DVC takes them for good when it fetches, and even when it has made
    the right ones anew."""
    oids = dict.fromkeys(paths[path] for path in cache.spoiled)
    files = [os.path.relpath(Path(cache.where) / oid[:2] / oid[2:]) for oid in oids]
    return [f"rm -f {shlex.join(files)}"] if files else []
