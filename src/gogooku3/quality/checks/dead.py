"""Is there a feature without a value in any row?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gogooku3.quality.finding import Finding
from gogooku3.quality.statistics import Statistics

RULE = "Every feature has a value somewhere."


def check(statistics: Statistics) -> Iterator[Finding]:
    """The features without any value, apart by whether a history is as long as they look back."""
    due_F = statistics.columns.due_MF.any(axis=0)
    for enough, text in (
        (True, "no value in any row, though the history is there"),
        (False, "no value in any row: no stock's history is as long as the feature looks back"),
    ):
        places = np.flatnonzero(statistics.columns.dead_F & (due_F == enough))
        if places.size:
            yield Finding("dead", "fault", text, features=tuple(statistics.schema.names[place] for place in places))
