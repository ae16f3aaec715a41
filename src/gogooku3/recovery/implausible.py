"""Refuses to release a model whose results, or whose data, are too good to be true."""

from __future__ import annotations

import json
from pathlib import Path

from gogooku3 import paths
from gogooku3.errors import DataError, RefusedError, abbreviate
from gogooku3.recovery.releases import git, metrics, record

_CHECK = "plausibility"
"""The check of stage `quality` that counts here; its other errors are about the data alone."""


def findings(root: Path, commit: str) -> list[str] | None:
    """Errors of plausibility of a commit, as sentences: of its evaluation on both splits, then of its features.

    None if neither was checked, by an earlier version.

    Raises:
        DataError: a file is damaged.
    """
    tables = {split: metrics.read(root, commit, split) for split in record.SPLITS}
    checked = {split: table.plausibility for split, table in tables.items() if table and table.plausibility is not None}
    of_features = _of_features(root, commit)
    if not checked and of_features is None:
        return None
    of_scores = [
        f"on {split}, {finding.text}"
        for split, found in checked.items()
        for finding in found
        if finding.level == "error"
    ]
    return of_scores + (of_features or [])


def refuse(found: list[str] | None, despite_implausible: str | None) -> None:
    """Refuses implausible results without a reason.

    Raises:
        RefusedError: there are findings and no reason.
    """
    if found and despite_implausible is None:
        raise RefusedError(
            f"the results are too good to be true: {abbreviate(found, separator='; ')}",
            hint="`docs/evaluation.md` has the bounds with their sources; `reports/tier.html` says where to look."
            ' `--despite-implausible "REASON"` releases the model, and its tag says why',
        )


def _of_features(root: Path, commit: str) -> list[str] | None:
    """Errors of the data, each with its features; None without a report that has the check."""
    text = git.show(root, commit, str(paths.QUALITY_SUMMARY))
    if text is None:
        return None
    try:
        report = json.loads(text)
        return [
            f"{', '.join(finding['features']) or 'the universe'}: {finding['text']}"
            for finding in report["findings"]
            if finding["check"] == _CHECK and finding["level"] == "fault"
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"`{paths.QUALITY_SUMMARY}` of commit {commit[:10]} is damaged: {error!r}",
            hint="write it again with `dvc repro quality`",
        ) from None
