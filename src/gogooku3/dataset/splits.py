"""Splits: train | embargo | validation | embargo | test, by session, the same for all stocks.

The embargo purges the sessions whose targets would overlap the next split (leakage). Example: with validation from
session 100 and an embargo of 20, the last training session is 79. Its 20-session target ends at the close of session
99, so no training target reads a price of validation.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gogooku3.config.dataset import Split
from gogooku3.dataset.schema import REBUILD, read_json
from gogooku3.errors import DataError

SPLITS = ("train", "validation", "test")

MIN_SESSIONS = 5
"""Smallest number of sessions per split with a known target for every horizon."""


def cut(
    sessions: npt.NDArray[np.datetime64], split: Split, *, horizon: int, lookback: int
) -> dict[str, tuple[int, int]]:
    """First and last session of `train`, `validation` and `test`, both inclusive.

    Each split needs `horizon` + `MIN_SESSIONS` sessions, so that its longest targets are known within it; training
    sessions count from the first one with features of the longest lookback.

    Raises:
        DataError: a split is too short.
    """
    starts = (split.train_from, split.validation_from, split.test_from)
    train, validation, test = (int(np.searchsorted(sessions, np.datetime64(day, "D"))) for day in starts)
    lasts = (validation - split.embargo - 1, test - split.embargo - 1, len(sessions) - 1)
    spans = dict(zip(SPLITS, zip((train, validation, test), lasts, strict=True), strict=True))
    usable = {name: last - first + 1 for name, (first, last) in spans.items()}
    usable["train"] = spans["train"][1] - max(train, lookback - 1) + 1
    needed = horizon + MIN_SESSIONS
    if min(usable.values()) < needed:
        counts = ", ".join(f"{name} {max(count, 0)}" for name, count in usable.items())
        raise DataError(
            f"the {len(sessions)} sessions from {sessions[0]} to {sessions[-1]} leave usable sessions: {counts};"
            f" each split needs {needed} (horizon {horizon} + {MIN_SESSIONS}), training after a lookback of {lookback},"
            f" with an embargo of {split.embargo}",
            hint="extend the period of the quotes, or move the dates of `dataset.split`",
        )
    return spans


def as_json(spans: dict[str, tuple[int, int]], sessions: npt.NDArray[np.datetime64], embargo: int) -> dict[str, Any]:
    """The content of `split.json`."""
    return {"embargo": embargo, **named(spans, sessions)}


def named(spans: dict[str, tuple[int, int]], sessions: npt.NDArray[np.datetime64]) -> dict[str, Any]:
    """First and last date and number of sessions of each split."""
    return {
        name: {"first": str(sessions[first]), "last": str(sessions[last]), "sessions": last - first + 1}
        for name, (first, last) in spans.items()
    }


def read(path: Path, sessions: npt.NDArray[np.datetime64]) -> dict[str, tuple[int, int]]:
    """Reads the result of `cut` from a file that `named` or `as_json` wrote.

    Raises:
        DataError: it is missing, not JSON, or has a date that is not a session.
    """
    content = read_json(path)
    rows = {str(session): row for row, session in enumerate(sessions)}
    try:
        return {name: (rows[content[name]["first"]], rows[content[name]["last"]]) for name in SPLITS}
    except KeyError as error:
        raise DataError(f"`{path}` and the features' sessions differ in {error}", hint=REBUILD) from None


def refuse_leakage(spans: dict[str, tuple[int, int]], horizon: int, name: str) -> None:
    """Raises `DataError` if a target of one split reads a price of the next (leakage).

    Args:
        horizon: the longest horizon; the target of session t reads the close of session t + horizon.
        name: the dataset or fold, for the message.
    """
    for split, following in pairwise(SPLITS):
        last, first = spans[split][1], spans[following][0]
        if last + horizon >= first:
            raise DataError(
                f"the targets of {split} over {horizon} sessions reach {last + horizon - first + 1} sessions into the"
                f" {following} of {name}",
                hint="set `dataset.split.embargo` to at least the longest of `dataset.horizons`",
            )
