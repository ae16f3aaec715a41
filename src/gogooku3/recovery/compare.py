"""`report`: two revisions side by side, each read from its own files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from gogooku3 import config
from gogooku3.errors import DataError
from gogooku3.recovery.diff import differing_parameters
from gogooku3.recovery.releases import git
from gogooku3.recovery.releases.layout import WORKSPACE
from gogooku3.report.pair import SPLITS, Pair, Parameter, Side
from gogooku3.report.pair import compare as weigh


def compare(root: Path, old: str, new: str = WORKSPACE) -> Pair:
    """Puts two revisions, or a revision and the working tree (`workspace`), side by side.

    The bootstrap is that of the working tree's parameters, as `promote` has it.

    Raises:
        GitError: a name is no revision.
        DataError: one has no metrics, or they have too few sessions in common.
        ConfigError: the working tree's parameters are wrong.
    """
    parameters = [Parameter(change.name, change.old, change.new) for change in differing_parameters(root, old, new)]
    bootstrap = config.load(root / config.PARAMS).evaluation.bootstrap
    return weigh(_side(root, old), _side(root, new), parameters, bootstrap)


def _side(root: Path, name: str) -> Side:
    commit = None if name == WORKSPACE else git.commit_of(root, name)
    return Side(
        name=name,
        commit=commit,
        metrics={split: _metrics(root, name, commit, f"metrics/{split}.json") for split in SPLITS},
        sessions={split: _sessions(root, name, commit, f"metrics/sessions/{split}.csv") for split in SPLITS},
    )


def _metrics(root: Path, name: str, commit: str | None, path: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(_text(root, name, commit, path))
    except ValueError as error:
        raise DataError(f"`{path}` of `{name}` is not JSON: {error}", hint="`dvc repro evaluate` writes it") from None
    return content


def _sessions(root: Path, name: str, commit: str | None, path: str) -> pl.DataFrame:
    return pl.read_csv(_text(root, name, commit, path).encode(), try_parse_dates=True)


def _text(root: Path, name: str, commit: str | None, path: str) -> str:
    file = root / path
    if commit is not None:
        text = git.show(root, commit, path)
    else:
        text = file.read_text(encoding="utf-8") if file.is_file() else None
    if text is None:
        raise DataError(
            f"`{path}` is not in `{name}`", hint="`dvc repro evaluate` writes it; compare commits that have it"
        )
    return text
