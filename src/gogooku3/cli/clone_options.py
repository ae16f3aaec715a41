"""Options of commands that work on a project or a clone; defaults come from the repository in the current folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from gogooku3.errors import GitError
from gogooku3.recovery.releases import git

from_option = click.option(
    "--from", "url", metavar="URL", help="The Git repository; by default the one in the current folder."
)
settings_option = click.option(
    "--settings",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="DVC settings for the clone: a bucket's url, credentials. Without the URL of a repository, those in"
    " `.dvc/config.local` of the current one.",
)

trusted_keys_option = click.option(
    "--trusted-keys",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Refuse a release whose tag no SSH key in FILE signed (Git's allowed-signers format).",
)


def in_project(path: Path) -> Callable[[], Path]:
    """The default of an option: a path of the project, from any of its folders (the nearest one above with `.dvc`)."""

    def find() -> Path:
        here = Path.cwd()
        roots = [folder for folder in (here, *here.parents) if (folder / ".dvc").is_dir()]
        return roots[0] / path if roots and roots[0] != here else path

    return find


@dataclass(frozen=True)
class CloneOptions:
    """URL to clone, settings file and local caches for the clone."""

    url: str
    foreign: bool
    """Whether the URL is another repository than the current folder's."""
    settings: Path | None
    caches: tuple[Path, ...]


def clone_options(url: str | None, settings: Path | None) -> CloneOptions:
    """Fills in defaults from the current repository.

    Raises:
        GitError: no URL is given, and the current folder is not in a repository, or in a subfolder of one.
    """
    from gogooku3.recovery.releases.clone import LOCAL_SETTINGS

    try:
        root = git.toplevel(Path.cwd())
    except GitError as error:
        if url is None:
            raise GitError(error.message, hint="name the repository: the URL of one") from None
        return CloneOptions(url, True, settings, ())
    if url is None:
        git.require_own_repository(root)
    local = root / LOCAL_SETTINGS  # these credentials must not be used for another repository
    foreign = url is not None and not _is_root(url, root)
    return CloneOptions(
        url if url is not None and foreign else str(root),
        foreign,
        settings or (local if url is None and local.is_file() else None),
        (root,) if (root / ".dvc").is_dir() else (),
    )


def _is_root(url: str, root: Path) -> bool:
    """Whether a URL is the path of the project's root; a folder in it may be, or stand for, another repository."""
    return Path(url).is_dir() and Path(url).samefile(root)
