"""Is there a feature that says nothing, for its value is always the same?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from gogooku3.quality.finding import Finding, shortest
from gogooku3.quality.statistics import Statistics

_SESSIONS = 5
"""Sessions' worth of values that a month needs, for one value in all of them to mean anything."""

RULE = (
    "No feature has one value alone, in all rows or in all rows of a month; one of the session that by its definition"
    " changes from month to month only is left out."
)


def check(statistics: Statistics) -> Iterator[Finding]:
    """Features with one value everywhere, and those with one value in some months."""
    columns = statistics.columns
    for place in np.flatnonzero(columns.constant_F):
        value = shortest(columns.high_F[place])
        yield Finding(
            "constant",
            "fault",
            f"{value:g} in every row that has a value",
            features=(statistics.schema.names[place],),
            values={"value": value},
        )
    still_MF = still(statistics)
    for place in np.flatnonzero(still_MF.any(axis=0)):
        months = np.flatnonzero(still_MF[:, place])
        value = shortest(columns.high_MF[months[0], place])
        yield Finding(
            "constant_in_month",
            "fault",
            f"{value:g} in every row of the month that has a value",
            features=(statistics.schema.names[place],),
            months=tuple(statistics.months[month] for month in months),
            values={"value": value},
        )


def still(statistics: Statistics) -> npt.NDArray[np.bool_]:
    """[M, F] True where a feature that varies in other months has one value in a whole month."""
    columns, sessions_M = statistics.columns, statistics.bar_counts.sessions_M
    judged_MF = columns.known_MF * sessions_M[:, None] >= _SESSIONS * np.maximum(columns.rows_M, 1)[:, None]
    still_MF = judged_MF & (columns.low_MF == columns.high_MF) & ~columns.constant_F
    of_session_F = np.array([feature.scope == "session" for feature in statistics.schema.features])
    by_definition_F = of_session_F & (2 * still_MF.sum(axis=0) > judged_MF.sum(axis=0))
    return np.asarray(still_MF & ~by_definition_F)
