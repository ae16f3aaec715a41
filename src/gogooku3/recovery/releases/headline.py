"""Checks headline metrics against other files that have them: the sessions that they average, and a tag's record."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from gogooku3 import paths
from gogooku3.errors import DataError, MismatchError
from gogooku3.metrics.estimate import mean
from gogooku3.metrics.paired_difference import horizons_of
from gogooku3.metrics.returns import sharpe
from gogooku3.recovery.releases import metrics, record, sessions
from gogooku3.recovery.releases.estimates import Measured

TOLERANCE = 1e-9
"""Relative tolerance: a mean of some hundred values may differ by 1e-13 between machines and versions."""

Value = float | str | None


def contradiction(table: metrics.Metrics, days: pl.DataFrame | None) -> str | None:
    """The first headline metric that the sessions do not give, with both values; None if there is none.

    Only what both have is compared: an early version wrote fewer metrics, or no sessions (`days` is None).
    """
    if days is None:
        return None
    recorded = dict(_headline(table))
    if {*map(str, horizons_of(days))} != {*table.rank_ic}:
        recorded.pop("mean_rank_ic.value", None)
    for key, value in _recomputed(days):
        if key in recorded and not _equal(recorded[key], value):
            return f"{key} {recorded[key]}, and its sessions give {value}"
    return None


def of_commit(root: Path, rev: str, split: str) -> str | None:
    """Completes "`metrics/validation.json` of … has": the contradiction of a revision's metrics; None if there is none.

    Raises:
        DataError: a file is damaged.
    """
    table = metrics.read(root, rev, split)
    return None if table is None else contradiction(table, sessions.read(root, rev, split))


def of_files(root: Path, split: str) -> str | None:
    """The contradiction of the metrics in a working tree, as a sentence; None if there is none.

    Raises:
        DataError: a file is missing or damaged.
    """
    path = paths.metrics_of(split)
    try:
        table = metrics.validated((root / path).read_text(encoding="utf-8"))
        found = contradiction(table, sessions.parse((root / paths.sessions_of(split)).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise DataError(
            f"`{path}` or its sessions cannot be read: {error}", hint="write them with `dvc repro`"
        ) from None
    return None if found is None else f"`{path}` has {found}"


def require_recorded(
    root: Path, tag: str, commit: str, recorded: record.Record, splits: Iterable[str] = record.SPLITS
) -> None:
    """Raises `MismatchError` if a tag records other metrics than the files of its commit have.

    A commit without metrics, of another tool, is not compared.
    """
    for split in splits:
        table = metrics.read(root, commit, split)
        if table is None:
            continue
        own, found = (dict(_measured(each)) for each in (getattr(recorded, split), record.of_table(table)))
        differing = next((key for key in {**own, **found} if own.get(key) != found.get(key)), None)
        reason = contradiction(table, sessions.read(root, commit, split))
        if differing is not None:
            reason = f"{differing} {found.get(differing)}, and the tag records {own.get(differing)}"
        if reason is not None:
            raise MismatchError(
                f"`{paths.metrics_of(split)}` of `{tag}` has {reason}",
                hint="do not trust these numbers, one of the files was edited: ask the author of the release",
            )


def _headline(table: metrics.Metrics) -> Iterator[tuple[str, Value]]:
    """The headline metrics that a file has, by key."""
    plain = {"sessions": table.sessions, "from": table.first, "to": table.last}
    yield from ((key, value) for key, value in plain.items() if value is not None)
    if table.sharpe != metrics.Sharpe():
        yield "sharpe.value", table.sharpe.value
    for name, cells in (("rank_ic", table.rank_ic), ("ic", table.ic)):
        yield from ((f"{name}.{horizon}.value", cell.value) for horizon, cell in cells.items())
    if table.mean_rank_ic is not None:
        yield "mean_rank_ic.value", table.mean_rank_ic.value


def _recomputed(days: pl.DataFrame) -> Iterator[tuple[str, Value]]:
    """The same from the sessions."""
    held = days.filter(pl.col("net").is_not_null() & pl.col("net").is_not_nan())
    yield "sessions", held.height
    yield "from", str(held["Date"].min())
    yield "to", str(held["Date"].max())
    yield "sharpe.value", float(sharpe(held["net"].to_numpy()))
    horizons = horizons_of(days)
    for name in ("rank_ic", "ic"):
        columns = {horizon: f"{name}_{horizon}" for horizon in horizons if f"{name}_{horizon}" in days.columns}
        means = {horizon: mean(_values(days[column])) for horizon, column in columns.items()}
        yield from ((f"{name}.{horizon}.value", value) for horizon, value in means.items())
        if name == "rank_ic" and means:
            yield "mean_rank_ic.value", float(np.mean(list(means.values())))


def _values(column: pl.Series) -> np.ndarray[Any, np.dtype[np.float64]]:
    return column.cast(pl.Float64).fill_null(math.nan).to_numpy()


def _equal(recorded: Value, computed: Value) -> bool:
    if isinstance(recorded, str) or isinstance(computed, str):
        return recorded == computed
    if recorded is None or computed is None or math.isnan(computed):
        return (recorded is None) == (computed is None or math.isnan(computed))
    return math.isclose(recorded, computed, rel_tol=TOLERANCE, abs_tol=1e-12)


def _measured(measured: Measured) -> Iterator[tuple[str, Value]]:
    yield from {"from": measured.first, "to": measured.last}.items()
    estimates = {"sharpe": measured.sharpe} | {f"rank_ic.{horizon}": each for horizon, each in measured.rank_ic.items()}
    for key, estimate in estimates.items():
        yield from ((f"{key}.{bound}", getattr(estimate, bound)) for bound in ("value", "low", "high"))


def read_json(path: Path) -> dict[str, Any]:
    """The content of a JSON file; raises `DataError` if it is missing or not a table."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"`{path}` cannot be read: {error}", hint="write it with `dvc repro`") from None
    if not isinstance(content, dict):
        raise DataError(f"`{path}` is not a table", hint="write it with `dvc repro`")
    return content
