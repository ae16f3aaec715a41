"""`locate`: what a path or a release should hold, and who has it whole.

The hashes come from `dvc.lock`, of the working tree or of the release's tag. Working tree and local cache are held
against them byte for byte, remotes by what they say of their objects; where they say nothing, these are read.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from gogooku3.errors import DataError, StoreError
from gogooku3.paths import PACKAGE
from gogooku3.recovery.releases import git, tags
from gogooku3.recovery.restore_command import Place, restore_command
from gogooku3.recovery.storage.listing import Entry, entries
from gogooku3.recovery.storage.lock import Output, locked_tags, outputs
from gogooku3.recovery.storage.open import open_cache, open_remote, remotes
from gogooku3.recovery.storage.scan import Progress, Scan, scan
from gogooku3.recovery.storage.store import Store

TREE = "working tree"
CACHE = "local cache"

_SHOWN = 3
_md5 = partial(hashlib.md5, usedforsecurity=False)


@dataclass(frozen=True)
class Located:
    """What was looked for, what each place has of it, and the command that brings it to where it belongs."""

    target: str
    recorded_by: str
    """The tag whose `dvc.lock` was read, or the working tree."""
    wanted: tuple[Output, ...]
    tree: Place
    cache: Place
    remotes: tuple[Place, ...]
    """The default one first."""
    tags: tuple[str, ...]
    """Tags that record the same objects."""
    somewhere: bool
    """Whether it lies in the working tree, or can be put together from cache and remotes."""
    command: str
    """"" where there is nothing to do."""


def locate(root: Path, target: str, progress: Progress = lambda _what, _done, _total: None) -> Located:
    """Looks for an output of the pipeline, a file in one, a folder of them, or a release's package.

    Raises:
        DataError: `dvc.lock` records no such path and no such version was released, or a lost listing hides the hash.
    """
    release, path, recorded = _recorded(root, target)
    stores, unreachable = _stores(root)
    outs = [_narrowed(output, path, list(stores.values())) for output in recorded]
    scans: dict[str, Scan] = {}
    for name, store in stores.items():
        try:
            scans[name] = scan(store, (stores[CACHE],), outs, deep=False, progress=progress)
        except StoreError as error:
            unreachable[name] = error.message
    paths = _paths(
        outs, {oid: listing for scan_result in scans.values() for oid, listing in scan_result.listings.items()}
    )
    places = {name: _place_of(name, stores[name], outs, scan_result) for name, scan_result in scans.items()}
    places |= {name: Place(name, "", frozenset(), {}, reason) for name, reason in unreachable.items()}
    here = _tree(root, outs, paths), places.pop(CACHE), tuple(places[name] for name in remotes(root))
    somewhere, command = restore_command(root, target, release, outs, paths, here)
    recording = _recording(root, outs, list(stores.values()))
    by = release.tag.name if release else TREE
    return Located(target, by, tuple(outs), *here, tuple(recording), somewhere, command)


def _stores(root: Path) -> tuple[dict[str, Store], dict[str, str]]:
    """The cache and the remotes that answer, and why the others do not."""
    stores, unreachable = {CACHE: open_cache(root)}, {}
    for name in remotes(root):
        try:
            stores[name] = open_remote(root, name)
        except StoreError as error:
            unreachable[name] = error.message
    return stores, unreachable


def _recorded(root: Path, target: str) -> tuple[tags.Release | None, PurePosixPath, list[Output]]:
    """The release that is meant, if one is; the path in the repository; the outputs at it, under it or around it."""
    tier = target.partition("@")[0]
    if not Path(target).exists() and (registry := tags.read(root)).of(tier):
        release = registry.find(target)
        return release, PurePosixPath(PACKAGE), _at(outputs(root, release.commit), PurePosixPath(PACKAGE))
    recorded = outputs(root, None)
    path = Path(os.path.normpath(Path(target).absolute()))
    if path.is_relative_to(root):
        inside = PurePosixPath(path.relative_to(root))
        if found := _at(recorded, inside):
            return None, inside, found
        if path.exists() and git.run(root, "ls-files", "--", str(path)):
            told = f"`git checkout -- {shlex.quote(target)}`"
            raise DataError(f"`{target}` is kept by Git, not by the store", hint=told)
    folders = ", ".join(dict.fromkeys(str(PurePosixPath(output.path).parent) for output in recorded))
    raise DataError(
        f"`{target}` is neither an output that `dvc.lock` records nor a released version",
        hint=f"outputs lie in {folders or 'no folder yet'}; `gogooku3 tiers` lists the versions",
    )


def _at(recorded: Iterable[Output], path: PurePosixPath) -> list[Output]:
    places = [(output, PurePosixPath(output.path)) for output in recorded]
    return [
        output
        for output, place in places
        if place.is_relative_to(path) or (output.is_dir and path.is_relative_to(place))
    ]


def _narrowed(output: Output, path: PurePosixPath, stores: Sequence[Store]) -> Output:
    """An output, or of a directory the one file in it that a path names."""
    if PurePosixPath(output.path).is_relative_to(path):
        return output
    listing = _listing(output, stores)
    if listing is None:
        raise DataError(
            f"`{path}` lies in `{output.path}`, whose listing ({output.md5}) is nowhere whole: its hash is not known",
            hint=f"`gogooku3 locate {output.path}` says more; `dvc repro {output.stage}` makes it anew",
        )
    name = str(path.relative_to(output.path))
    for entry in listing:
        if entry.path == name:
            return Output(output.stage, str(path), entry.md5, None, None, is_dir=False)
    raise DataError(
        f"`dvc.lock` records no `{name}` among the {len(listing)} files of `{output.path}`",
        hint=f"such as {', '.join(entry.path for entry in listing[:_SHOWN])}; for another commit's, `git checkout` it",
    )


def _listing(output: Output, stores: Iterable[Store]) -> list[Entry] | None:
    """The files of a directory output, from the first store that has its listing whole."""
    for store in stores:
        with suppress(StoreError):
            listing = entries(output.md5, store.read(output.md5))
            if listing is not None:
                return listing
    return None


def _paths(outs: Iterable[Output], listings: Mapping[str, Sequence[Entry]]) -> dict[str, str]:
    """Every object by the path that it has: files, and directories for their listings."""
    paths = {}
    for output in outs:
        paths[output.path] = output.md5
        paths |= {f"{output.path}/{entry.path}": entry.md5 for entry in listings.get(output.md5, ())}
    return paths


def _place_of(name: str, store: Store, outs: Iterable[Output], scan_result: Scan) -> Place:
    paths = _paths(outs, scan_result.listings)
    damage = {path: scan_result.damage[oid].kind for path, oid in paths.items() if oid in scan_result.damage}
    return Place(name, store.name, frozenset(paths.values()) - scan_result.damage.keys(), damage, "")


def _tree(root: Path, outs: Iterable[Output], paths: Mapping[str, str]) -> Place:
    """The working tree, hashed. Where a directory's listing is known nowhere, its files are those that make it up."""
    damage: dict[str, str] = {}
    for output in outs:
        files = {path: oid for path, oid in paths.items() if PurePosixPath(output.path) in PurePosixPath(path).parents}
        if not output.is_dir:
            files[output.path] = output.md5
        elif not files:
            files = {} if _listing_hash(root / output.path) == output.md5 else {output.path: output.md5}
        bad = {path: _kind(root / path) for path, oid in files.items() if _hash(root / path) != oid}
        damage |= {output.path: _kind(root / output.path), **bad} if bad else {}
    return Place(TREE, str(root), frozenset(oid for path, oid in paths.items() if path not in damage), damage)


def _kind(place: Path) -> str:
    return "altered" if place.exists() else "missing"


def _listing_hash(folder: Path) -> str:
    """The name of the object that DVC would make of a folder's listing."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    listing = [{"md5": _hash(file), "relpath": file.relative_to(folder).as_posix()} for file in files]
    content = json.dumps(sorted(listing, key=lambda entry: str(entry["relpath"])), sort_keys=True)
    return f"{_md5(content.encode()).hexdigest()}.dir"


def _hash(file: Path) -> str | None:
    if not file.is_file():
        return None
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, _md5).hexdigest()


def _recording(root: Path, wanted: Sequence[Output], stores: Sequence[Store]) -> Iterator[str]:
    """Tags whose `dvc.lock` records the same objects, in files of directories too."""
    for tag in locked_tags(root):
        with suppress(DataError):  # recorded by DVC 2, or never made
            recorded = outputs(root, tag)
            objects = {output.md5 for output in recorded}
            around = [each for each in recorded if each.is_dir and any(_holds(each, one) for one in wanted)]
            objects |= {entry.md5 for each in around for entry in _listing(each, stores) or ()}
            if objects.issuperset(output.md5 for output in wanted):
                yield tag


def _holds(directory: Output, other: Output) -> bool:
    return PurePosixPath(directory.path) in PurePosixPath(other.path).parents
