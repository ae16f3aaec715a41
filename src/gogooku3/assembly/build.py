"""Builds the dataset's folder from the quotes; deterministic: the same bytes for the same bars.

==================  ================================================================================
file                content
==================  ================================================================================
features/YYYY-MM    `Date`, `Code`, then the features (f32): one row per bar, sorted by `Date`, `Code`
targets/YYYY-MM     `Date`, `Code`, `target_h` per horizon (f32): the same rows
graph/YYYY-MM       one row per edge of each graph of the month; no file if the month has no graph
schema.json         the ordered features with lookback, scope and definition; ABI; horizons
preprocess.json     mean and standard deviation fitted on the training sessions, and the clip
split.json          first and last session of train, validation and test
contents.json       rows and content hash (checksum) of each parquet file
==================  ================================================================================

Features and graphs of a month need no later bar (no look-ahead) and are computed once (`months`). Targets change when
later sessions arrive, so each build rewrites them and the JSON files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gogooku3.assembly.fingerprint import recipe
from gogooku3.assembly.history import History
from gogooku3.assembly.month_cache import MonthCache
from gogooku3.assembly.months import months, unit_name, units
from gogooku3.assembly.workers import make_months
from gogooku3.config.dataset import Dataset
from gogooku3.dataset import preprocess, splits
from gogooku3.dataset.contents import CONTENTS, write_frame
from gogooku3.dataset.schema import Schema, target_name
from gogooku3.errors import DataError
from gogooku3.features.graph import refreshes
from gogooku3.features.month import Month, frame
from gogooku3.features.registry import chosen
from gogooku3.features.targets import forward_returns
from gogooku3.runtime.files import write_json


def build(history: History, params: Dataset, target: Path, cache: Path | None = None) -> None:
    """Builds the dataset and replaces the previous one when it is complete.

    An interrupted build resumes from its finished months.

    Args:
        cache: DVC's cache, which still has the months of earlier datasets.

    Raises:
        DataError: there are too few sessions for the splits, no training session has a neighbour graph, or the bars
            break their schema.
        MachineError: a worker process was killed.
    """
    features, sessions = chosen(params), history.sessions
    spans = splits.cut(
        sessions,
        params.split,
        horizon=max(params.horizons),
        lookback=max(feature.lookback for feature in features),
    )
    _require_graph(sessions, spans["train"], params)
    schema = Schema(tuple(feature.column for feature in features), tuple(params.horizons), params.graph.neighbours)
    months_cache = MonthCache(target, cache)
    make_months(units(sessions), history, params, months_cache)
    with months_cache.lock(*(unit_name(unit) for unit in units(sessions))):
        _assemble(history, params, schema, spans, months_cache)


def make_share(history: History, params: Dataset, months_cache: MonthCache, share: int, shares: int) -> list[str]:
    """Builds one of several shares of the months into the cache that `build` reads; returns the months' names.

    Share k of n is every n-th calendar year from the k-th on. Several processes can build shares at once, and so can
    several machines, whose folders are then copied into one.

    Raises:
        DataError: the bars break their schema.
        MachineError: a worker process was killed.
    """
    selected = units(history.sessions)[share - 1 :: shares]
    make_months(selected, history, params, months_cache)
    return [month.name for unit in selected for month in unit]


def _require_graph(sessions: npt.NDArray[np.datetime64], train: tuple[int, int], params: Dataset) -> None:
    """Refuses a window so long that no training session has a graph: graph attention would learn without neighbours."""
    first, last = refreshes(len(sessions), params.graph).start, train[1]
    if first > last:
        raise DataError(
            f"no training session has a neighbour graph: with `dataset.graph.window` {params.graph.window} the first"
            f" one is at session {first + 1}, and training ends with session {last + 1}, {sessions[last]}",
            hint="shorten `dataset.graph.window`, extend the period of the quotes, or move"
            " `dataset.split.validation_from`",
        )


def _assemble(
    history: History, params: Dataset, schema: Schema, spans: dict[str, tuple[int, int]], months_cache: MonthCache
) -> None:
    """Adds targets and JSON files to the months, and publishes the dataset."""
    sessions, current_recipe = history.sessions, recipe(chosen(params), params)
    contents: dict[str, dict[str, int | str]] = {}
    for month in months(sessions):
        contents |= months_cache.files(month.name, current_recipe)
    if not any(name.startswith("graph/") and entry["rows"] for name, entry in contents.items()):
        raise DataError(
            f"no session has a neighbour graph: never do two stocks have returns in four fifths of the"
            f" {params.graph.window} sessions of `dataset.graph.window`",
            hint="use quotes with more stocks, or bars on more days (`quotes.inputs`)",
        )
    for unit in units(sessions):
        contents |= _write_targets(unit, history, params.horizons, months_cache.folder)
    first, last = sessions[list(spans["train"])].tolist()
    documents = {
        CONTENTS: dict(sorted(contents.items())),
        "schema.json": schema.as_json(),
        "preprocess.json": preprocess.fit(months_cache.folder, schema, (first, last), params.clip),
        "split.json": splits.as_json(spans, sessions, params.split.embargo),
    }
    for name, content in documents.items():
        write_json(content, months_cache.folder / name)
    months_cache.publish({*contents, *documents})


def _write_targets(
    unit: Sequence[Month], history: History, horizons: list[int], folder: Path
) -> dict[str, dict[str, int | str]]:
    """Writes the targets of some months; returns their entries in the table of contents."""
    first = unit[0].start
    market = history.market(first, unit[-1].stop + max(horizons))
    y_HTS = forward_returns(market, horizons)
    entries = {}
    for month in unit:
        rows = slice(month.start - first, month.stop - first)
        name = f"targets/{month.name}.parquet"
        targets = frame(market, rows, [target_name(horizon) for horizon in horizons], y_HTS[:, rows])
        entries[name] = write_frame(targets, folder / name)
    return entries
