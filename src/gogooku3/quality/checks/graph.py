"""Has every stock neighbours, and is every session's graph a fresh one?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gogooku3.pages.words import count, percent
from gogooku3.quality.columns import ratio
from gogooku3.quality.finding import Finding
from gogooku3.quality.statistics import Statistics

LINKED = 0.8
"""Share of the stocks with a bar in a graph's session that have a neighbour in it, at least, over a month."""
LATE = 2.0
"""Times the usual number of sessions between two graphs that may pass without a new one."""

RULE = (
    f"{percent(LINKED)} of the stocks with a bar have a neighbour, and a new graph comes before twice the usual number"
    " of sessions has passed."
)


def check(statistics: Statistics) -> Iterator[Finding]:
    """Months in which stocks have no neighbours, and stretches without a new graph."""
    session_G, last = statistics.graphs.session_G, len(statistics.bar_counts.sessions_T) - 1
    if not session_G.size:
        yield Finding("no_graph", "fault", "no graph was made")
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
    """Months without a graph in a stretch of sessions; where each has one, the month that the stretch began in."""
    months = np.unique(statistics.bar_counts.month_T[session : session + gap])
    bare = months[statistics.graphs.graphs_M[months] == 0]
    return tuple(statistics.months[month] for month in (bare if bare.size else months[:1]))
