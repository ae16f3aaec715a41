"""Reads the per-session results of a split, `metrics/sessions/<split>.csv`, as written by any version.

Early versions wrote no such file. A column that a version did not write is absent.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from gogooku3 import paths
from gogooku3.errors import DataError
from gogooku3.metrics.paired_difference import horizons_of
from gogooku3.recovery.releases import git


def parse(text: str) -> pl.DataFrame | None:
    """The columns of `Evaluation.sessions` that a version wrote; None without `net`, by which sessions are compared.

    Raises:
        ValueError: it is not such a table; the message completes "the file is …".
    """
    try:
        frame = pl.read_csv(text.encode(), try_parse_dates=True)
        if frame.schema.get("Date") != pl.Date:
            raise ValueError("no column `Date` of dates")
        numbers = [name for name in ("net", *(f"rank_ic_{h}" for h in horizons_of(frame))) if name in frame.columns]
        numeric = frame.with_columns(pl.col(numbers).cast(pl.Float64))
    except (PolarsError, ValueError) as error:
        raise ValueError(f"not a table of sessions: {str(error).splitlines()[0]}") from None
    return numeric if "net" in numbers else None


def read(root: Path, rev: str, split: str) -> pl.DataFrame | None:
    """The sessions of a split at a revision; None if its version did not write them.

    Raises:
        DataError: the file is damaged.
    """
    path = paths.sessions_of(split)
    text = git.show(root, rev, path)
    try:
        return None if text is None else parse(text)
    except ValueError as error:
        raise DataError(
            f"`{path}` of `{rev}` is {error}", hint=f"find the change with `git log {rev} -- {path}`"
        ) from None
