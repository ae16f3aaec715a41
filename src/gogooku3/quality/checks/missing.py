"""Check: missing values that a short history does not explain."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from gogooku3.pages.words import percent
from gogooku3.quality.columns import Columns
from gogooku3.quality.finding import Finding
from gogooku3.quality.statistics import Statistics

ABOVE_USUAL = 0.05
"""Largest excess of a month's share of missing values over the feature's median month."""
MOST = 0.2
"""Largest share of a month's values that may be missing."""
_ENOUGH = 0.1
"""Smallest share of a month's rows with enough history for the month to be checked."""

RULE = (
    "If a stock has had at least as many bars as a feature's lookback, its value is known: in each month at most"
    f" {percent(MOST)} are missing, and at most {percent(ABOVE_USUAL)} of the rows more than in the feature's median"
    " month."
)


def check(statistics: Statistics) -> Iterator[Finding]:
    """Features with missing values despite enough history; one finding per set of months."""
    share_MF, lost_MF = statistics.columns.lost_share_MF, lost(statistics.columns)
    groups: dict[tuple[int, ...], list[int]] = {}
    for index in np.flatnonzero(lost_MF.any(axis=0)):
        groups.setdefault(tuple(np.flatnonzero(lost_MF[:, index]).tolist()), []).append(int(index))
    for months, indices in groups.items():
        shares = share_MF[np.ix_(months, indices)].max(axis=0)
        yield Finding(
            "missing",
            "fault",
            f"up to {percent(shares.max())} of a month's values are missing although the history is long enough",
            features=tuple(statistics.schema.names[index] for index in indices),
            months=tuple(statistics.months[month] for month in months),
            values={"share": float(shares.max())},
        )


def lost(columns: Columns) -> npt.NDArray[np.bool_]:
    """[M, F] True if too many values of a feature are missing; dead features have their own check."""
    judged_MF = columns.due_MF > _ENOUGH * columns.rows_M[:, None]
    share_MF = np.where(judged_MF, columns.lost_share_MF, np.nan)
    share_MF[:, columns.dead_F | ~judged_MF.any(axis=0)] = 0.0
    excess_MF = share_MF - np.nanmedian(share_MF, axis=0)
    return np.asarray((excess_MF > ABOVE_USUAL) | (share_MF > MOST))
