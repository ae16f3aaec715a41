"""Check: features with a constant value."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from gogooku3.quality.finding import Finding, shortest
from gogooku3.quality.statistics import Statistics

_SESSIONS = 5
"""Smallest number of sessions' values in a month for this check."""

RULE = (
    "No feature is constant, in all rows or in all rows of a month; `session` features that change only from month to"
    " month by definition are excluded."
)


def check(statistics: Statistics) -> Iterator[Finding]:
    """Features that are constant in all rows, and features that are constant in some months."""
    columns = statistics.columns
    for index in np.flatnonzero(columns.constant_F):
        value = shortest(columns.high_F[index])
        yield Finding(
            "constant",
            "fault",
            f"{value:g} in every row that has a value",
            features=(statistics.schema.names[index],),
            values={"value": value},
        )
    constant_MF = constant_in_month(statistics)
    for index in np.flatnonzero(constant_MF.any(axis=0)):
        months = np.flatnonzero(constant_MF[:, index])
        value = shortest(columns.high_MF[months[0], index])
        yield Finding(
            "constant_in_month",
            "fault",
            f"{value:g} in every row of the month that has a value",
            features=(statistics.schema.names[index],),
            months=tuple(statistics.months[month] for month in months),
            values={"value": value},
        )


def constant_in_month(statistics: Statistics) -> npt.NDArray[np.bool_]:
    """[M, F] True if a feature that varies in other months is constant in a month."""
    columns, sessions_M = statistics.columns, statistics.bar_counts.sessions_M
    judged_MF = columns.known_MF * sessions_M[:, None] >= _SESSIONS * np.maximum(columns.rows_M, 1)[:, None]
    constant_MF = judged_MF & (columns.low_MF == columns.high_MF) & ~columns.constant_F
    of_session_F = np.array([feature.scope == "session" for feature in statistics.schema.features])
    by_definition_F = of_session_F & (2 * constant_MF.sum(axis=0) > judged_MF.sum(axis=0))
    return np.asarray(constant_MF & ~by_definition_F)
