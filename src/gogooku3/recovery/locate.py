"""`locate`: finds intact copies of an output or a release in the working tree, the local cache and the remotes.

The hashes come from `dvc.lock`, of the working tree or of the release's tag. Working tree and local cache are hashed;
remotes are checked by the checksums that they report, and objects without one are read.
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
from gogooku3.recovery.restore_command import Location, restore_command
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
    """The wanted outputs, what each location has of them, and the command that restores them."""

    target: str
    recorded_by: str
    """The tag whose `dvc.lock` was read, or the working tree."""
    wanted: tuple[Output, ...]
    tree: Location
    cache: Location
    remotes: tuple[Location, ...]
    """The default remote first."""
    tags: tuple[str, ...]
    """Tags that record the same objects."""
    somewhere: bool
    """Whether it is intact in the working tree, or can be restored from cache and remotes."""
    command: str
    """Empty if there is nothing to do."""


def locate(root: Path, target: str, progress: Progress = lambda _what, _done, _total: None) -> Located:
    """Locates an output of the pipeline, a file in one, a folder of them, or a release's package.

    Raises:
        DataError: `dvc.lock` records no such path and no such version was released, or the hash is in a lost listing.
    """
    release, path, recorded = _recorded(root, target)
    stores, unreachable = _stores(root)
    outs = [_wanted(output, path, list(stores.values())) for output in recorded]
    scans: dict[str, Scan] = {}
    for name, store in stores.items():
        try:
            scans[name] = scan(store, (stores[CACHE],), outs, deep=False, progress=progress)
        except StoreError as error:
            unreachable[name] = error.message
    paths = _paths(
        outs, {oid: listing for scan_result in scans.values() for oid, listing in scan_result.listings.items()}
    )
    found = {name: _store_location(name, stores[name], outs, scan_result) for name, scan_result in scans.items()}
    found |= {name: Location(name, "", frozenset(), {}, reason) for name, reason in unreachable.items()}
    locations = _tree_location(root, outs, paths), found.pop(CACHE), tuple(found[name] for name in remotes(root))
    somewhere, command = restore_command(root, target, release, outs, paths, locations)
    recording = _recording(root, outs, list(stores.values()))
    recorded_by = release.tag.name if release else TREE
    return Located(target, recorded_by, tuple(outs), *locations, tuple(recording), somewhere, command)


def _stores(root: Path) -> tuple[dict[str, Store], dict[str, str]]:
    """The cache and the reachable remotes, and the reason for each unreachable one."""
    stores, unreachable = {CACHE: open_cache(root)}, {}
    for name in remotes(root):
        try:
            stores[name] = open_remote(root, name)
        except StoreError as error:
            unreachable[name] = error.message
    return stores, unreachable


def _recorded(root: Path, target: str) -> tuple[tags.Release | None, PurePosixPath, list[Output]]:
    """The release if the target is one; the path in the repository; the outputs at, below or above that path."""
    tier = target.partition("@")[0]
    if not Path(target).exists() and (registry := tags.read(root)).of(tier):
        release = registry.find(target)
        return release, PurePosixPath(PACKAGE), _at(outputs(root, release.commit), PurePosixPath(PACKAGE))
    recorded = outputs(root, None)
    path = Path(os.path.normpath(Path(target).absolute()))
    if path.is_relative_to(root):
        relative = PurePosixPath(path.relative_to(root))
        if outs := _at(recorded, relative):
            return None, relative, outs
        if path.exists() and git.run(root, "ls-files", "--", str(path)):
            raise DataError(
                f"`{target}` is tracked by Git, not by DVC", hint=f"run `git checkout -- {shlex.quote(target)}`"
            )
    folders = ", ".join(dict.fromkeys(str(PurePosixPath(output.path).parent) for output in recorded))
    raise DataError(
        f"`{target}` is neither an output that `dvc.lock` records nor a released version",
        hint=f"name an output (folders with outputs: {folders or 'none yet'}) or a version that `gogooku3 tiers` lists",
    )


def _at(recorded: Iterable[Output], path: PurePosixPath) -> list[Output]:
    paths = [(output, PurePosixPath(output.path)) for output in recorded]
    return [output for output, at in paths if at.is_relative_to(path) or (output.is_dir and path.is_relative_to(at))]


def _wanted(output: Output, path: PurePosixPath, stores: Sequence[Store]) -> Output:
    """The output, or, if the path is a file inside a directory output, that file."""
    if PurePosixPath(output.path).is_relative_to(path):
        return output
    listing = _listing(output, stores)
    if listing is None:
        raise DataError(
            f"the hash of `{path}` is unknown: no source has an intact listing ({output.md5}) of `{output.path}`",
            hint=f"run `gogooku3 locate {output.path}` for details, or `dvc repro {output.stage}` to make it again",
        )
    name = str(path.relative_to(output.path))
    for entry in listing:
        if entry.path == name:
            return Output(output.stage, str(path), entry.md5, None, None, is_dir=False)
    raise DataError(
        f"`dvc.lock` records no `{name}` among the {len(listing)} files of `{output.path}`",
        hint=f"name a recorded file ({', '.join(entry.path for entry in listing[:_SHOWN])}), or use another commit",
    )


def _listing(output: Output, stores: Iterable[Store]) -> list[Entry] | None:
    """The files of a directory output, from the first store with an intact listing."""
    for store in stores:
        with suppress(StoreError):
            listing = entries(output.md5, store.read(output.md5))
            if listing is not None:
                return listing
    return None


def _paths(outs: Iterable[Output], listings: Mapping[str, Sequence[Entry]]) -> dict[str, str]:
    """The object of each path: files, and the listings of directories."""
    paths = {}
    for output in outs:
        paths[output.path] = output.md5
        paths |= {f"{output.path}/{entry.path}": entry.md5 for entry in listings.get(output.md5, ())}
    return paths


def _store_location(name: str, store: Store, outs: Iterable[Output], scan_result: Scan) -> Location:
    paths = _paths(outs, scan_result.listings)
    damage = {path: scan_result.damage[oid].kind for path, oid in paths.items() if oid in scan_result.damage}
    return Location(name, store.name, frozenset(paths.values()) - scan_result.damage.keys(), damage, "")


def _tree_location(root: Path, outs: Iterable[Output], paths: Mapping[str, str]) -> Location:
    """Hashes the working tree. If no store has a directory's listing, the folder's own listing is hashed instead."""
    damage: dict[str, str] = {}
    for output in outs:
        files = {path: oid for path, oid in paths.items() if PurePosixPath(output.path) in PurePosixPath(path).parents}
        if not output.is_dir:
            files[output.path] = output.md5
        bad = {path: kind for path, oid in files.items() if (kind := _damage(root / path, oid))}
        if output.is_dir and not files and (kind := _damage(root / output.path, output.md5)):
            bad[output.path] = kind
        if bad:
            damage |= {output.path: "altered" if os.path.lexists(root / output.path) else "missing"} | bad
    return Location(TREE, str(root), frozenset(oid for path, oid in paths.items() if path not in damage), damage)


def _damage(path: Path, oid: str) -> str:
    """`missing`, `altered` or `unreadable`; empty if a file, or a folder's listing, has the hash of an object."""
    try:
        intact = (_listing_hash(path) if oid.endswith(".dir") else _hash(path)) == oid
    except OSError:
        return "unreadable"
    return "" if intact else "altered" if os.path.lexists(path) else "missing"


def _listing_hash(folder: Path) -> str:
    """The name of the object that DVC would make for a folder's listing; raises `OSError` if a file is unreadable."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    listing = [{"md5": _hash(file), "relpath": file.relative_to(folder).as_posix()} for file in files]
    content = json.dumps(sorted(listing, key=lambda entry: str(entry["relpath"])), sort_keys=True)
    return f"{_md5(content.encode()).hexdigest()}.dir"


def _hash(file: Path) -> str | None:
    """The MD5 of a file; None if there is no file. Raises `OSError` if it cannot be read."""
    if not file.is_file():
        return None
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, _md5).hexdigest()


def _recording(root: Path, wanted: Sequence[Output], stores: Sequence[Store]) -> Iterator[str]:
    """Tags whose `dvc.lock` records the same objects, including files inside directories."""
    for tag in locked_tags(root):
        with suppress(DataError):  # recorded by DVC 2, or never made
            recorded = outputs(root, tag)
            objects = {output.md5 for output in recorded}
            parents = [each for each in recorded if each.is_dir and any(_contains(each, one) for one in wanted)]
            objects |= {entry.md5 for each in parents for entry in _listing(each, stores) or ()}
            if objects.issuperset(output.md5 for output in wanted):
                yield tag


def _contains(directory: Output, other: Output) -> bool:
    return PurePosixPath(directory.path) in PurePosixPath(other.path).parents
