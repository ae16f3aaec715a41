"""A clean clone of the repository at a release: whole under its name, or not there."""

from __future__ import annotations

import shutil
from pathlib import Path

from gogooku3.errors import RefusedError
from gogooku3.files import replaced
from gogooku3.recovery.releases import git, tags

LOCAL_SETTINGS = Path(".dvc/config.local")


def clone(url: str, name: str, target: Path, settings: Path | None = None) -> tags.Release:
    """Clones a repository at the release that `TIER` or `TIER@VERSION` names.

    Args:
        url: anything that `git clone` takes.
        target: a folder that is not there, is empty, or is such a clone already and unchanged: then it is kept.
        settings: a DVC configuration that the clone is to use (another bucket, credentials): its `.dvc/config.local`.

    Raises:
        RefusedError: `target` holds something else; nothing was changed.
        GitError: there is no repository, or it cannot be read.
        DataError: there is no such release.
    """
    target = target.absolute()
    if target.is_dir() and any(target.iterdir()):
        release = _kept(name, target)
    else:
        with replaced(target) as folder:
            git.run(folder, "clone", "--quiet", "--no-checkout", "--", _absolute(url), ".")
            release = tags.find(folder, name)
            git.run(folder, "checkout", "--quiet", "--detach", release.commit)
    if settings is not None:
        shutil.copyfile(settings, target / LOCAL_SETTINGS)
    return release


def _kept(name: str, target: Path) -> tags.Release:
    """The release at which an earlier clone stands."""
    if not (target / ".git").exists():
        raise RefusedError(f"`{target}` is not empty", hint="name a folder that is not there, or an empty one")
    release = tags.find(target, name)
    if git.commit_of(target, "HEAD") != release.commit or git.changes(target):
        raise RefusedError(
            f"`{target}` is a clone that does not stand unchanged at `{release.tag.name}`",
            hint="name another folder; what was done there stays",
        )
    return release


def _absolute(url: str) -> str:
    """A path is meant from where the user stands, not from the folder that is cloned into."""
    return str(Path(url).absolute()) if Path(url).exists() else url
