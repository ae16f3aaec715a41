"""Chooses the command that restores located outputs: local copies before remotes, remotes before `dvc repro`."""

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
class Location:
    """The working tree, the local cache or a remote, and which of the wanted objects it has."""

    name: str
    where: str
    intact: frozenset[str]
    """Objects that exist with the right bytes."""
    damage: dict[str, str]
    """`missing`, `truncated`, `altered` or `unreadable`, by path."""
    unreachable: str = ""
    """Why it could not be accessed."""

    @property
    def is_whole(self) -> bool:
        """Whether every wanted object is intact."""
        return not self.damage and not self.unreachable

    @property
    def corrupt(self) -> list[str]:
        """Paths whose object exists with wrong or unreadable bytes: DVC would use these."""
        return [path for path, kind in self.damage.items() if kind != "missing"]

    @property
    def unreadable(self) -> list[str]:
        """Paths whose object cannot be read: it may be intact."""
        return [path for path, kind in self.damage.items() if kind == "unreadable"]

    def __str__(self) -> str:
        if not self.damage:
            return self.unreachable or "intact"
        counts = ", ".join(f"{count} {kind}" for kind, count in Counter(self.damage.values()).items())
        return f"{counts}: {abbreviate(self.damage, limit=3)}"


def restore_command(
    root: Path,
    target: str,
    release: tags.Release | None,
    outs: Sequence[Output],
    paths: Mapping[str, str],
    locations: tuple[Location, Location, tuple[Location, ...]],
) -> tuple[bool, str]:
    """Whether the outputs can be restored, and the command that does it.

    Args:
        paths: the wanted object of each path.
        locations: the working tree, the local cache, and the remotes.
    """
    tree, cache, remotes = locations
    objects = set(paths.values())
    configured = default_remote(root)
    default = next((remote for remote in remotes if configured and remote.name == configured.name), None)
    stages = shlex.join(dict.fromkeys(output.stage for output in outs))
    other_commit = release is not None and release.commit != git.commit_of(root, "HEAD")
    if objects <= tree.intact:
        return True, "" if other_commit else _backup_command(stages, paths, cache, default)

    tag = f" {release.tag.name}" if release else ""
    # DVC accepts an output, or a file in one, by its path; a folder of several outputs only by their stages.
    path = shlex.quote(target) if len(outs) == 1 and release is None else stages
    force = "--force " if tree.corrupt else ""
    steps = [f"git checkout{tag}"] if other_commit else []
    sources, missing = _sources(objects - cache.intact, remotes)
    if not missing and sources == [default] and cache.corrupt:
        steps += [f"gogooku3 audit{tag} --local --repair", f"dvc checkout --force {path}"]
        return True, " && ".join(steps)
    if missing and (diagnosis := _diagnosis(missing, paths, cache, default, remotes, tag, path)):
        return False, diagnosis
    steps += _remove_corrupt(cache, paths)
    if missing:
        return False, " && ".join([*steps, f"dvc repro {stages}"])
    if not sources:
        steps.append(f"dvc checkout {force}{path}")
    elif len(sources) == 1:
        remote = "" if sources == [default] else f"--remote {shlex.quote(sources[0].name)} "
        steps.append(f"dvc pull {force}{remote}{path}")
    else:  # each fetch gets what its remote has, and fails for the rest
        fetches = (f"dvc fetch --remote {shlex.quote(source.name)} {path}" for source in sources)
        steps.append("; ".join((*fetches, f"dvc checkout {force}{path}")))
    return True, " && ".join(steps)


def _diagnosis(
    missing: set[str],
    paths: Mapping[str, str],
    cache: Location,
    default: Location | None,
    remotes: Iterable[Location],
    tag: str,
    path: str,
) -> str:
    """The command that shows why a location which may have a missing object cannot be read; empty if there is none."""
    if any(remote.unreachable for remote in remotes):
        return "gogooku3 doctor"
    for location in (cache, *remotes):
        if not missing.isdisjoint(paths[each] for each in location.unreadable):
            if location is cache:
                return f"gogooku3 audit{tag} --local"
            return f"gogooku3 audit{tag}" if location is default else f"dvc fetch --remote {location.name} {path}"
    return ""


def _backup_command(stages: str, paths: Mapping[str, str], cache: Location, default: Location | None) -> str:
    """The command that copies outputs of the working tree to the cache and the default remote, if these lack them."""
    objects = set(paths.values())
    repair = ["gogooku3 audit --repair"] if default is not None and default.damage else []
    if objects <= cache.intact:
        return " && ".join(repair)
    if default is not None and objects <= default.intact:
        return "gogooku3 audit --local --repair" if cache.corrupt else ""
    return " && ".join([*_remove_corrupt(cache, paths), f"dvc commit --force {stages}", *repair])


def _sources(needed: set[str], remotes: Iterable[Location]) -> tuple[list[Location], set[str]]:
    """The first remotes that together have the needed objects, and the objects that no remote has."""
    sources = []
    for remote in remotes:
        if needed & remote.intact:
            sources.append(remote)
            needed = needed - remote.intact
    return sources, needed


def _remove_corrupt(cache: Location, paths: Mapping[str, str]) -> list[str]:
    """The command that removes corrupt cache files: DVC does not replace them in a fetch or after a new run."""
    oids = dict.fromkeys(paths[path] for path in cache.corrupt)
    files = [os.path.relpath(Path(cache.where) / oid[:2] / oid[2:]) for oid in oids]
    force = "-rf" if cache.unreadable else "-f"  # a folder may be in the place of an unreadable file
    return [f"rm {force} {shlex.join(files)}"] if files else []
