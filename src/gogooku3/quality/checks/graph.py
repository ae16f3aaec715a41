"""Check: stocks without neighbours, and stale graphs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gogooku3.pages.words import count, percent
from gogooku3.quality.columns import ratio
from gogooku3.quality.finding import Finding
from gogooku3.quality.statistics import Statistics

LINKED = 0.8
"""Smallest share of the stocks with a bar that have a neighbour, over a month's graphs."""
LATE = 2.0
"""Largest interval between two graphs, as a multiple of the median interval."""

RULE = (
    f"{percent(LINKED)} of the stocks with a bar have a neighbour, and no interval between two graphs is longer than"
    " twice the median."
)


def check(statistics: Statistics) -> Iterator[Finding]:
    """Months in which stocks have no neighbours, and intervals without a new graph."""
    session_G, last = statistics.graphs.session_G, len(statistics.bar_counts.sessions_T) - 1
    if not session_G.size:
        yield Finding("no_graph", "fault", "there is no graph")
        return
    share_M = ratio(statistics.graphs.linked_M, statistics.graphs.present_M)
    for month in np.flatnonzero(share_M < LINKED):
        yield Finding(
            "few_neighbours",
            "fault",
            f"{percent(share_M[month])} of the stocks have a neighbour",
            months=(statistics.months[month],),
            values={"share": float(share_M[month])},
        )
    gaps = np.diff(session_G, append=last + 1)
    for graph in np.flatnonzero(gaps > LATE * np.median(gaps)):
        day = statistics.bar_counts.sessions_T[session_G[graph]]
        yield Finding(
            "old_graph",
            "fault",
            f"no new graph in {count(gaps[graph], 'session')} after {day}",
            months=_without_graph(statistics, session_G[graph], gaps[graph]),
            values={"session": str(day), "sessions": int(gaps[graph])},
        )


def _without_graph(statistics: Statistics, session: int, gap: int) -> tuple[str, ...]:
    """Months without a graph in an interval of sessions; if each has one, the month in which the interval starts."""
    months = np.unique(statistics.bar_counts.month_T[session : session + gap])
    without = months[statistics.graphs.graphs_M[months] == 0]
    return tuple(statistics.months[month] for month in (without if without.size else months[:1]))
