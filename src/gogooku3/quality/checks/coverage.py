"""Are all sessions and all stocks there, month by month?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from gogooku3.pages.words import count, percent
from gogooku3.quality.columns import ratio
from gogooku3.quality.finding import Finding
from gogooku3.quality.statistics import Statistics

SESSIONS = 0.6
"""Share of a month's weekdays that are sessions, at least; the other days are holidays."""
STOCKS = 0.9
"""Share of the listed stocks that have a bar, at least, and of the stocks of the month before that are still there."""

RULE = (
    f"At least {percent(SESSIONS)} of a month's weekdays are sessions. In each session {percent(STOCKS)} of the listed"
    f" stocks have a bar, and no month has fewer than {percent(STOCKS)} of the stocks of the month before."
)


def check(statistics: Statistics) -> Iterator[Finding]:
    """Months with too few sessions, sessions with too few stocks, and stocks that vanish together."""
    yield from _few_sessions(statistics)
    yield from _few_bars(statistics)
    yield from _fewer_stocks(statistics)


def _few_sessions(statistics: Statistics) -> Iterator[Finding]:
    counts = zip(statistics.months, statistics.bar_counts.sessions_M, statistics.bar_counts.weekdays_M, strict=True)
    for month, sessions, weekdays in counts:
        if sessions < SESSIONS * weekdays:
            yield Finding(
                "few_sessions",
                "fault",
                f"{count(sessions, 'session')} for {count(weekdays, 'weekday')}",
                months=(month,),
                values={"sessions": int(sessions), "weekdays": int(weekdays)},
            )


def _few_bars(statistics: Statistics) -> Iterator[Finding]:
    bar_counts = statistics.bar_counts
    share_T = ratio(bar_counts.bars_T, bar_counts.listed_T)
    for place, month in enumerate(statistics.months):
        thin = np.flatnonzero((bar_counts.month_T == place) & (share_T < STOCKS))
        if thin.size:
            least = thin[np.argmin(share_T[thin])]
            yield Finding(
                "few_bars",
                "fault",
                f"{count(thin.size, 'session')} in which listed stocks lack a bar, most of all"
                f" {bar_counts.sessions_T[least]} with {percent(share_T[least])} of them present",
                months=(month,),
                values={
                    "sessions": int(thin.size),
                    "session": str(bar_counts.sessions_T[least]),
                    "share": float(share_T[least]),
                },
            )


def _fewer_stocks(statistics: Statistics) -> Iterator[Finding]:
    held = np.flatnonzero(statistics.bar_counts.stocks_M)
    for before, place in pairwise(held):
        was, stocks = statistics.bar_counts.stocks_M[[before, place]].tolist()
        if stocks < STOCKS * was:
            yield Finding(
                "fewer_stocks",
                "fault",
                f"{count(stocks, 'stock')} after {was:,} in {statistics.months[before]}",
                months=(statistics.months[place],),
                values={"stocks": stocks, "before": was},
            )
