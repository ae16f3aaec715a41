"""A clean clone of the repository at a release: whole under its name, or not there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dvc.config import Config
from dvc.config import ConfigError as DvcConfigError

from gogooku3.errors import ConfigError, DataError, RefusedError
from gogooku3.recovery.releases import git, tags
from gogooku3.runtime.files import replaced

LOCAL_SETTINGS = Path(".dvc/config.local")


def clone(url: str, name: str, target: Path, settings: Path | None = None) -> tags.Release:
    """Clones a repository at the release that `TIER` or `TIER@VERSION` names.

    Args:
        url: anything that `git clone` takes.
        target: a folder that is not there, is empty, or is such a clone already and unchanged: then it is kept.
        settings: a DVC configuration that the clone is to use (another bucket, credentials): its `.dvc/config.local`.

    Raises:
        ConfigError: `settings` is no DVC configuration.
        RefusedError: `target` holds something else; nothing was changed.
        GitError: there is no repository, or it cannot be read.
        DataError: there is no such release, or it is from before the pipeline.
    """
    given = _read(settings)
    url = _absolute(url)
    if target.is_dir() and any(target.iterdir()):
        release = _kept(url, name, target)
        _use(settings, given, target.resolve())
    else:
        with replaced(require_vacant(target)) as folder:
            git.run(folder, "clone", "--quiet", "--no-checkout", "--", url, ".")
            release = tags.find(folder, name)
            git.run(folder, "checkout", "--quiet", "--detach", release.commit)
            if not (folder / ".dvc").is_dir():
                raise DataError(
                    f"`{release.tag.name}` keeps nothing in a store: its commit has no `.dvc`",
                    hint="name a version that `gogooku3 promote` made",
                )
            _use(settings, given, folder)
    return release


def require_vacant(target: Path) -> Path:
    """Where something new may be put under a name: nowhere else than where the links in it lead.

    Raises `RefusedError` where something is, or where the caller stands: that folder would be another one afterwards.
    """
    place = target.resolve()
    if place.exists() and not place.is_dir():
        raise RefusedError(f"`{target}` is a file", hint="name a folder that is not there, or an empty one")
    if place.is_dir() and any(place.iterdir()):
        raise RefusedError(f"`{target}` is not empty", hint="name a folder that is not there, or an empty one")
    if place == Path.cwd():
        raise RefusedError(f"`{target}` is the folder that you stand in", hint="name another one, or go one up")
    return place


def _kept(url: str, name: str, target: Path) -> tags.Release:
    """The release at which an earlier clone stands; there may be newer ones by now."""
    if not (target / ".git").exists():
        raise RefusedError(f"`{target}` is not empty", hint="name a folder that is not there, or an empty one")
    head = git.commit_of(target, "HEAD")
    if head not in git.run(target, "ls-remote", "--tags", "--", url).split():
        raise RefusedError(
            f"`{target}` is a repository of its own, or a clone that stands at no release",
            hint="name a folder that is not there, or an empty one",
        )
    git.run(target, "fetch", "--quiet", "--no-write-fetch-head", "--tags", "--", url)
    release = tags.find(target, name)
    if head != release.commit or git.changes(target):
        raise RefusedError(
            f"`{target}` is a clone that does not stand unchanged at `{release.tag.name}`",
            hint="name another folder; what was done there stays",
        )
    return release


def take_settings(settings: Path | None, root: Path) -> None:
    """Makes a file of DVC settings the local ones of a clone; raises `ConfigError` where it is none."""
    _use(settings, _read(settings), root)


def _read(settings: Path | None) -> dict[str, Any]:
    """A DVC configuration in which paths are seen from its own folder."""
    if settings is None:
        return {}
    with _readable(settings):
        return dict(Config._load_paths(Config.load_file(str(settings)), str(settings.resolve())))


def _use(settings: Path | None, given: dict[str, Any], root: Path) -> None:
    """Makes what a file of settings gives the local settings of a clone; DVC writes paths as they are seen there."""
    if settings is None:
        return
    with _readable(settings), Config(str(root / ".dvc"), validate=False).edit("local") as local:
        local.clear()
        local.update(given)
    shutil.copymode(settings, root / LOCAL_SETTINGS)  # it may hold secrets


@contextmanager
def _readable(settings: Path) -> Iterator[None]:
    try:
        yield
    except DvcConfigError as error:
        raise ConfigError(
            f"`{settings}` is no configuration of DVC: {' '.join(str(error).split())}",
            hint="write it as `dvc remote modify --local` writes `.dvc/config.local`",
        ) from None


def _absolute(url: str) -> str:
    """A path is meant from where the user stands, not from the folder that is cloned into."""
    return str(Path(url).absolute()) if Path(url).exists() else url
