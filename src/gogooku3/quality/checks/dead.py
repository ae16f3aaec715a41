"""Check: dead features, without a value in any row."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gogooku3.quality.finding import Finding
from gogooku3.quality.statistics import Statistics

RULE = "Every feature has at least one value."


def check(statistics: Statistics) -> Iterator[Finding]:
    """Dead features, separated by whether the history is as long as their lookback."""
    due_F = statistics.columns.due_MF.any(axis=0)
    for enough, text in (
        (True, "no value in any row, although the history is long enough"),
        (False, "no value in any row: no stock's history is as long as the feature's lookback"),
    ):
        indices = np.flatnonzero(statistics.columns.dead_F & (due_F == enough))
        if indices.size:
            yield Finding("dead", "fault", text, features=tuple(statistics.schema.names[index] for index in indices))
