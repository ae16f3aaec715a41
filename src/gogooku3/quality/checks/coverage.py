"""Check: missing sessions and missing stocks by month."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from gogooku3.pages.words import count, percent
from gogooku3.quality.columns import ratio
from gogooku3.quality.finding import Finding
from gogooku3.quality.statistics import Statistics

SESSIONS = 0.6
"""Smallest share of a month's weekdays that are sessions; the others are holidays."""
STOCKS = 0.9
"""Smallest share of the listed stocks with a bar, and of the number of stocks in the previous month."""

RULE = (
    f"At least {percent(SESSIONS)} of a month's weekdays are sessions. In each session {percent(STOCKS)} of the listed"
    f" stocks have a bar, and no month has fewer than {percent(STOCKS)} of the stocks of the month before."
)


def check(statistics: Statistics) -> Iterator[Finding]:
    """Months with too few sessions, sessions with too few stocks, and months in which many stocks disappear."""
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
    for index, month in enumerate(statistics.months):
        incomplete = np.flatnonzero((bar_counts.month_T == index) & (share_T < STOCKS))
        if incomplete.size:
            least = incomplete[np.argmin(share_T[incomplete])]
            yield Finding(
                "few_bars",
                "fault",
                f"{count(incomplete.size, 'session')} in which listed stocks lack a bar, at worst"
                f" {bar_counts.sessions_T[least]} with {percent(share_T[least])} of them present",
                months=(month,),
                values={
                    "sessions": int(incomplete.size),
                    "session": str(bar_counts.sessions_T[least]),
                    "share": float(share_T[least]),
                },
            )


def _fewer_stocks(statistics: Statistics) -> Iterator[Finding]:
    months = np.flatnonzero(statistics.bar_counts.stocks_M)
    for previous, month in pairwise(months):
        before, stocks = statistics.bar_counts.stocks_M[[previous, month]].tolist()
        if stocks < STOCKS * before:
            yield Finding(
                "fewer_stocks",
                "fault",
                f"{count(stocks, 'stock')} after {before:,} in {statistics.months[previous]}",
                months=(statistics.months[month],),
                values={"stocks": stocks, "before": before},
            )
