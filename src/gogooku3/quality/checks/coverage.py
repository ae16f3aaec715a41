"""Are all sessions and all stocks there, month by month?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from gogooku3.pages.words import count, percent
from gogooku3.quality.columns import ratio
from gogooku3.quality.finding import Finding
from gogooku3.quality.survey import Survey

SESSIONS = 0.6
"""Share of a month's weekdays that are sessions, at least; the other days are holidays."""
STOCKS = 0.9
"""Share of the listed stocks that have a bar, at least, and of the stocks of the month before that are still there."""

RULE = (
    f"At least {percent(SESSIONS)} of a month's weekdays are sessions. In each session {percent(STOCKS)} of the listed"
    f" stocks have a bar, and no month has fewer than {percent(STOCKS)} of the stocks of the month before."
)


def found(survey: Survey) -> Iterator[Finding]:
    """Months with too few sessions, sessions with too few stocks, and stocks that vanish together."""
    yield from _few_sessions(survey)
    yield from _few_bars(survey)
    yield from _fewer_stocks(survey)


def _few_sessions(survey: Survey) -> Iterator[Finding]:
    counts = zip(survey.months, survey.attendance.sessions_M, survey.attendance.weekdays_M, strict=True)
    for month, sessions, weekdays in counts:
        if sessions < SESSIONS * weekdays:
            yield Finding(
                "few_sessions",
                "fault",
                f"{count(sessions, 'session')} for {count(weekdays, 'weekday')}",
                months=(month,),
                values={"sessions": int(sessions), "weekdays": int(weekdays)},
            )


def _few_bars(survey: Survey) -> Iterator[Finding]:
    attendance = survey.attendance
    share_T = ratio(attendance.bars_T, attendance.listed_T)
    for place, month in enumerate(survey.months):
        thin = np.flatnonzero((attendance.month_T == place) & (share_T < STOCKS))
        if thin.size:
            least = thin[np.argmin(share_T[thin])]
            yield Finding(
                "few_bars",
                "fault",
                f"{count(thin.size, 'session')} in which listed stocks lack a bar, most of all"
                f" {attendance.sessions_T[least]} with {percent(share_T[least])} of them present",
                months=(month,),
                values={
                    "sessions": int(thin.size),
                    "session": str(attendance.sessions_T[least]),
                    "share": float(share_T[least]),
                },
            )


def _fewer_stocks(survey: Survey) -> Iterator[Finding]:
    held = np.flatnonzero(survey.attendance.stocks_M)
    for before, place in pairwise(held):
        was, stocks = survey.attendance.stocks_M[[before, place]].tolist()
        if stocks < STOCKS * was:
            yield Finding(
                "fewer_stocks",
                "fault",
                f"{count(stocks, 'stock')} after {was:,} in {survey.months[before]}",
                months=(survey.months[place],),
                values={"stocks": stocks, "before": was},
            )
