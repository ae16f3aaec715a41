"""Clones the repository at a release, atomically: the clone is complete or does not exist."""

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
from gogooku3.recovery.releases.signatures import check_release, check_trusted_keys
from gogooku3.runtime.faults import writing
from gogooku3.runtime.files import exclusive, lock_of, replaced

LOCAL_SETTINGS = Path(".dvc/config.local")

SITE_CACHE = Path(".dvc/tmp/site")
"""A clone's own site cache of DVC."""

_DVC_STATE = (Path(".dvc/cache"), LOCAL_SETTINGS, Path(".dvc/tmp"))
"""Written by DVC on one machine; DVC's own `.gitignore` lists them."""

_LINKS = ("120000", "160000")
"""Modes of symbolic links and submodules in Git's trees."""


def clone(
    url: str, name: str, target: Path, settings: Path | None = None, trusted_keys: Path | None = None
) -> tags.Release:
    """Clones a repository at the release that `TIER` or `TIER@VERSION` names.

    Args:
        url: anything that `git clone` takes.
        target: a folder that does not exist, is empty, or is an unchanged clone at this release, which is reused.
        settings: a DVC configuration (another bucket, credentials) for the clone's `.dvc/config.local`.
        trusted_keys: refuse a release that no key in this file signed, before anything is checked out.

    Raises:
        ConfigError: `settings` is not a DVC configuration, or `trusted_keys` not a list of trusted signers.
        MismatchError: the tag's signature is not valid, or no key in `trusted_keys` signed it.
        RefusedError: `target` contains something else; nothing was changed.
        GitError: there is no repository, or it cannot be read.
        DataError: there is no such release, it is older than the pipeline, or its commit contains files that DVC would
            follow or overwrite outside of the clone.
    """
    config = _read_settings(settings)
    check_trusted_keys(trusted_keys)
    url = git.absolute(url)
    if target.is_dir() and any(target.iterdir()):
        release = _existing_clone(url, name, target)
        check_release(target, release, trusted_keys, as_best="@" not in name)
        _write_settings(settings, config, target.resolve())
        _keep_inside(target.resolve(), target.resolve())
    else:
        target = require_vacant(target)
        with replaced(target) as folder:
            require_vacant(target)  # another process may have written it before this one's turn
            git.clone(url, folder)
            git.require_sha1(folder)
            release = tags.find(folder, name)
            check_release(folder, release, trusted_keys, as_best="@" not in name)
            _require_no_dvc_state(folder, release.commit)
            git.run(folder, "checkout", "--quiet", "--detach", release.commit)
            if not (folder / ".dvc").is_dir():
                raise DataError(
                    f"`{release.tag.name}` has nothing in a store: its commit has no `.dvc`",
                    hint="name a version that `gogooku3 promote` made",
                )
            _write_settings(settings, config, folder)
            _keep_inside(folder, target)
    return release


@contextmanager
def claimed(target: Path) -> Iterator[None]:
    """Context manager: no other process may recover, reproduce or restore a release into the same folder meanwhile.

    Raises `RefusedError` if one does.
    """

    def busy(process: str) -> RefusedError:
        return RefusedError(
            f"another recovery into `{target}` is running{process}",
            hint="wait for its end, then run the same command again, or name another folder",
        )

    with writing(target, lock_of(target)), exclusive(lock_of(target), busy):
        yield


def require_vacant(target: Path) -> Path:
    """The target with links resolved, if it does not exist or is an empty folder.

    Raises `RefusedError` if it contains something, or is the current folder, which would be replaced.
    """
    folder = target.resolve()
    if folder.exists() and not folder.is_dir():
        raise RefusedError(f"`{target}` is a file", hint="name a new or empty folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise RefusedError(f"`{target}` is not empty", hint="name a new or empty folder")
    if folder == Path.cwd():
        raise RefusedError(f"`{target}` is the current folder", hint="name another folder, or `cd` out of this one")
    return folder


def _require_no_dvc_state(folder: Path, commit: str) -> None:
    """Refuses a commit with files that only DVC on this machine writes, or with links in their place."""
    for line in git.run(folder, "ls-tree", "-r", "-z", commit, "--", ".dvc").split("\0")[:-1]:
        fields, _, name = line.partition("\t")
        path = Path(name)
        state = next((each for each in _DVC_STATE if path.is_relative_to(each)), None)
        if state is not None or fields.startswith(_LINKS):
            raise DataError(
                f"commit {commit[:10]} contains `{state or path}`, which is never committed",
                hint="do not trust this repository or archive: DVC would follow it out of the clone",
            )


def make_site_cache(root: Path) -> None:
    """Makes a clone's own site cache, which no other user can open; DVC would let everybody write to it."""
    (root / SITE_CACHE).mkdir(mode=0o700, parents=True, exist_ok=True)


def _keep_inside(folder: Path, target: Path) -> None:
    """Gives a new clone its own site cache, and its own cache if the commit names one.

    DVC's default site cache is shared by all users of a machine, world-writable, and contains pickles (CVE-2025-69872);
    a cache in the committed configuration is a folder of this machine that the repository's author chose.

    Args:
        folder: the clone.
        target: its final path.
    """
    dvc = folder / ".dvc"
    committed = Config(str(dvc), validate=False).load_one("repo").get("cache", {})
    make_site_cache(folder)
    with Config(str(dvc), validate=False).edit("local") as local:
        local.setdefault("core", {}).setdefault("site_cache_dir", str(target / SITE_CACHE))
        if "dir" in committed:
            local.setdefault("cache", {}).setdefault("dir", str(target / ".dvc/cache"))


def _existing_clone(url: str, name: str, target: Path) -> tags.Release:
    """The release of an earlier clone; newer releases may exist by now."""
    if not (target / ".git").exists():
        raise RefusedError(f"`{target}` is not empty", hint="name a new or empty folder")
    head = git.commit_of(target, "HEAD")
    if head not in git.run(target, "ls-remote", "--tags", "--", url).split():
        raise RefusedError(
            f"`{target}` is another repository, or a clone at a commit that is not a release",
            hint="name a new or empty folder",
        )
    git.run(target, "fetch", "--quiet", "--no-write-fetch-head", "--tags", "--", url)
    release = tags.find(target, name)
    if head != release.commit or git.changes(target):
        raise RefusedError(
            f"`{target}` is a clone, but not an unchanged one at `{release.tag.name}`",
            hint="name another folder; this one is left as it is",
        )
    return release


def apply_settings(settings: Path | None, root: Path) -> None:
    """Copies a file of DVC settings to a clone's local settings; raises `ConfigError` if it is not valid."""
    _write_settings(settings, _read_settings(settings), root)


def _read_settings(settings: Path | None) -> dict[str, Any]:
    """Reads a DVC configuration; its paths are relative to its own folder."""
    if settings is None:
        return {}
    with _config_errors(settings):
        return dict(Config._load_paths(Config.load_file(str(settings)), str(settings.resolve())))


def _write_settings(settings: Path | None, config: dict[str, Any], root: Path) -> None:
    """Writes a configuration to a clone's local settings; DVC makes its paths relative to that file."""
    if settings is None:
        return
    with _config_errors(settings), Config(str(root / ".dvc"), validate=False).edit("local") as local:
        local.clear()
        local.update(config)
    shutil.copymode(settings, root / LOCAL_SETTINGS)  # it may contain secrets


@contextmanager
def _config_errors(settings: Path) -> Iterator[None]:
    try:
        yield
    except DvcConfigError as error:
        raise ConfigError(
            f"`{settings}` is not a DVC configuration: {' '.join(str(error).split())}",
            hint="use the format of `.dvc/config.local`, as `dvc remote modify --local` writes it",
        ) from None
