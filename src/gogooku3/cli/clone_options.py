"""What a command takes from the repository that the user stands in, when it works on a clone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from gogooku3.errors import GitError
from gogooku3.recovery.releases import git

from_option = click.option(
    "--from", "url", metavar="URL", help="The Git repository; by default the one that you stand in."
)
settings_option = click.option(
    "--settings",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="DVC settings for the clone: a bucket's url, credentials. Without --from, those in `.dvc/config.local` of the"
    " repository that you stand in.",
)


@dataclass(frozen=True)
class CloneOptions:
    """Where to clone from, and what the clone may use."""

    url: str
    settings: Path | None
    caches: tuple[Path, ...]


def clone_options(url: str | None, settings: Path | None) -> CloneOptions:
    """Fills in what was not given from the repository around; raises `GitError` when there is none to clone from."""
    from gogooku3.recovery.releases.clone import LOCAL_SETTINGS

    try:
        root = git.toplevel(Path.cwd())
    except GitError as error:
        if url is None:
            raise GitError(error.message, hint="name the repository: `--from URL`") from None
        return CloneOptions(url, settings, ())
    local = root / LOCAL_SETTINGS  # another repository has no business with these credentials
    return CloneOptions(
        url or str(root),
        settings or (local if url is None and local.is_file() else None),
        (root,) if (root / ".dvc").is_dir() else (),
    )
