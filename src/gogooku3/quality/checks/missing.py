"""Is a value missing for another reason than that its stock's history is still short?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from gogooku3.pages.words import percent
from gogooku3.quality.columns import Columns
from gogooku3.quality.finding import Finding
from gogooku3.quality.statistics import Statistics

ABOVE_USUAL = 0.05
"""By how much a month's share of missing values may exceed the feature's median month."""
MOST = 0.2
"""Share of a month's values that may be missing at all."""
_ENOUGH = 0.1
"""Share of a month's rows that must have the history, for the month to be judged."""

RULE = (
    "Where a stock has had as many bars as a feature looks back on, its value is there: in each month all but"
    f" {percent(MOST)}, and at most {percent(ABOVE_USUAL)} of the rows more missing than in the feature's median month."
)


def check(statistics: Statistics) -> Iterator[Finding]:
    """Features that lack values which their stocks' history allows; those that lack them in the same months as one."""
    share_MF, lost_MF = statistics.columns.lost_share_MF, lost(statistics.columns)
    groups: dict[tuple[int, ...], list[int]] = {}
    for place in np.flatnonzero(lost_MF.any(axis=0)):
        groups.setdefault(tuple(np.flatnonzero(lost_MF[:, place]).tolist()), []).append(int(place))
    for months, places in groups.items():
        shares = share_MF[np.ix_(months, places)].max(axis=0)
        yield Finding(
            "missing",
            "fault",
            f"up to {percent(shares.max())} of a month's values are missing though the history is there",
            features=tuple(statistics.schema.names[place] for place in places),
            months=tuple(statistics.months[month] for month in months),
            values={"share": float(shares.max())},
        )


def lost(columns: Columns) -> npt.NDArray[np.bool_]:
    """[M, F] True where a feature lacks too many values; a dead feature is another check's."""
    judged_MF = columns.due_MF > _ENOUGH * columns.rows_M[:, None]
    share_MF = np.where(judged_MF, columns.lost_share_MF, np.nan)
    share_MF[:, columns.dead_F | ~judged_MF.any(axis=0)] = 0.0
    excess_MF = share_MF - np.nanmedian(share_MF, axis=0)
    return np.asarray((excess_MF > ABOVE_USUAL) | (share_MF > MOST))
