"""`report`: compares two revisions, each read from its own files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from gogooku3 import config, paths
from gogooku3.errors import DataError
from gogooku3.recovery.releases import git, headline, metrics, sessions
from gogooku3.recovery.releases.parameters import differing_parameters
from gogooku3.report.model_pair import SPLITS, Pair, Parameter, Side
from gogooku3.report.model_pair import compare as compare_sides


def compare(root: Path, old: str, new: str = git.WORKSPACE) -> Pair:
    """Compares two revisions, or a revision and the working tree (`workspace`).

    A revision of an older version has fewer metrics: those that it lacks are absent from its side. The bootstrap uses
    the working tree's parameters, as in `promote`.

    Raises:
        GitError: a name is not a revision.
        DataError: one has no metrics, damaged ones, or some that its sessions do not give; the working tree has no
            sessions; or they have too few sessions in common.
        ConfigError: the working tree's parameters are wrong.
    """
    parameters = [Parameter(change.name, change.old, change.new) for change in differing_parameters(root, old, new)]
    bootstrap = config.load(root / paths.PARAMS).evaluation.bootstrap
    return compare_sides(_side(root, old), _side(root, new), parameters, bootstrap)


def _side(root: Path, name: str) -> Side:
    commit = None if name == git.WORKSPACE else git.commit_of(root, name)
    tables = {split: _metrics(root, name, commit, paths.metrics_of(split)) for split in SPLITS}
    tracks = {split: _sessions(root, name, commit, paths.sessions_of(split)) for split in SPLITS}
    for split in SPLITS:
        found = headline.contradiction(metrics.validated(json.dumps(tables[split])), tracks[split])
        if found is not None:
            raise DataError(
                f"`{paths.metrics_of(split)}` of `{name}` has {found}: one of them was edited",
                hint="write both with `dvc repro --force evaluate`, or compare other commits",
            )
    return Side(name, commit, tables, {split: track for split, track in tracks.items() if track is not None})


def _metrics(root: Path, name: str, commit: str | None, path: Path) -> dict[str, Any]:
    text = _text(root, commit, path)
    if text is None:
        raise _absent(name, path)
    try:
        return metrics.parse(text)
    except ValueError as error:
        raise _damaged(name, path, error) from None


def _sessions(root: Path, name: str, commit: str | None, path: Path) -> pl.DataFrame | None:
    """The sessions; None if the version of a commit did not write them (the working tree's version does)."""
    text = _text(root, commit, path)
    if text is None and commit is None:
        raise _absent(name, path)
    try:
        return None if text is None else sessions.parse(text)
    except ValueError as error:
        raise _damaged(name, path, error) from None


def _text(root: Path, commit: str | None, path: Path) -> str | None:
    if commit is not None:
        return git.show(root, commit, path)
    file = root / path
    return file.read_text(encoding="utf-8", errors="surrogateescape") if file.is_file() else None


def _absent(name: str, path: Path) -> DataError:
    return DataError(
        f"`{path}` is not in `{name}`", hint="write it with `dvc repro evaluate`, or compare commits that have it"
    )


def _damaged(name: str, path: Path, error: ValueError) -> DataError:
    return DataError(
        f"`{path}` of `{name}` is {error}", hint="write it with `dvc repro evaluate`, or compare other commits"
    )
