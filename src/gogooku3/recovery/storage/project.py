"""Opens DVC projects, even if DVC's site cache cannot be written: the verbs that only read need none."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dvc.repo import Repo


@contextmanager
def open_project(folder: Path | str, **options: Any) -> Iterator[Repo]:
    """Context manager for a DVC project; `options` are those of `dvc.repo.Repo`.

    DVC writes to its site cache when it opens a project. In a home that is read-only, or another user's, it gets an
    empty one in a temporary folder.
    """
    with ExitStack() as stack:
        try:
            repo = Repo(str(folder), **options)
        except (OSError, sqlite3.Error):
            temporary = stack.enter_context(TemporaryDirectory())
            repo = Repo(str(folder), config={"core": {"site_cache_dir": temporary}}, **options)
        yield stack.enter_context(repo)
