"""The commit that made a package: the one whose `dvc.lock` records it, and how to get that commit's dataset."""

from __future__ import annotations

import hashlib
import shlex
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gogooku3 import paths
from gogooku3.errors import GitError
from gogooku3.package.manifest import MANIFEST
from gogooku3.recovery.releases import git, tags
from gogooku3.recovery.releases.parameters import differing_parameters
from gogooku3.recovery.untrusted import load_yaml


@dataclass(frozen=True)
class PackageCommit:
    """The commit that made a package, in the repository in `root`; `name` is its release's tag, if it has one."""

    root: Path
    commit: str
    name: str

    def __str__(self) -> str:
        return (
            f"commit {self.name}" if self.commit.startswith(self.name) else f"{self.name}, commit {self.commit[:10]},"
        )


def commit_of_package(package: Path, *nearby: Path) -> PackageCommit | None:
    """Searches the repositories of the package and of the folders `nearby` for the commit; None if none records it.

    A package is identified by its manifest, which contains the hash of every file.
    """
    manifest = package / MANIFEST
    if not manifest.is_file():
        return None
    digest = _digest(manifest)
    for folder in (package, *nearby):
        with suppress(GitError):
            root = git.toplevel(folder)
            if (commit := _recording(root, digest)) is not None:
                return commit
    return None


def releases_of(package: Path) -> tuple[Path, list[tags.Release]]:
    """The releases that recorded a package, those at HEAD first, and their repository, which contains the package."""
    manifest = package / MANIFEST
    if manifest.is_file():
        with suppress(GitError):
            root = git.toplevel(package)
            head = git.commit_of(root, "HEAD")
            releases = _releases_with(root, _digest(manifest))
            return root, sorted(releases, key=lambda release: release.commit != head)
    return package, []


def dataset_hint(made: PackageCommit, dataset: Path) -> str:
    """How to get a package's training dataset: check out its commit, or set other parameters here."""
    hint = f"{made} recorded this package: `git checkout {made.name} && dvc pull {paths.DATASET}`"
    if dataset.resolve() != made.root / paths.DATASET:
        return hint
    changes = [each for each in differing_parameters(made.root, made.commit) if each.name.startswith("dataset.")]
    if not changes:
        return f"{hint}; the parameters here are the same, so the code or the quotes differ"
    if any(each.name.startswith("dataset.joined.") for each in changes):
        return f"{hint}; `dataset.joined` differs here: `git diff {made.name} -- params.yaml`"
    settings = " ".join(f"-S {shlex.quote(f'{each.name}={_value(each.old)}')}" for each in changes)
    return f"{hint}, or here `dvc exp run {settings} dataset`"


def _recording(root: Path, digest: str) -> PackageCommit | None:
    """The newest release whose lock file records a hash, or the first commit whose lock file did."""
    if releases := _releases_with(root, digest):
        return PackageCommit(root, releases[-1].commit, releases[-1].tag.name)
    # `git log -S` lists the commits that added or removed it, the newest first.
    commits = git.run(
        root, "log", "--all", "--no-textconv", "--format=%H", f"-S{digest}", "--", str(paths.LOCK)
    ).split()
    first = next((each for each in reversed(commits) if _records(git.show(root, each, paths.LOCK) or "", digest)), None)
    return None if first is None else PackageCommit(root, first, first[:10])


def _releases_with(root: Path, digest: str) -> list[tags.Release]:
    """Releases whose lock file records a hash as that of a package's manifest."""
    releases = tags.read(root).releases
    blobs = git.blobs(root, [release.commit for release in releases], paths.LOCK)
    matching = {blob for blob in set(blobs.values()) if _records(git.read_blob(root, blob), digest)}
    return [release for release in releases if blobs.get(release.commit) in matching]


def recorded_paths(lock: str, digest: str) -> set[str]:
    """Paths of the outputs that the text of a lock file records with a hash; a hash in a comment is no record."""
    if digest not in lock:  # parsing takes longer
        return set()
    try:
        outs = [out for stage in load_yaml(lock)["stages"].values() for out in stage.get("outs", ())]
        return {out["path"] for out in outs if out.get("md5") == digest}
    except (yaml.YAMLError, AttributeError, KeyError, TypeError):
        return set()


def _records(lock: str, digest: str) -> bool:
    """Whether a lock file records a hash as that of the manifest."""
    return str(paths.PACKAGE / MANIFEST) in recorded_paths(lock, digest)


def _digest(manifest: Path) -> str:
    """MD5, by which `dvc.lock` records the manifest."""
    return hashlib.md5(manifest.read_bytes(), usedforsecurity=False).hexdigest()


def _value(value: Any) -> str:
    """A parameter in Hydra's syntax."""
    return f"[{','.join(map(str, value))}]" if isinstance(value, list) else str(value)
