"""Brings what the raw folder lacks, month by month; asks again for what it holds, and keeps what was corrected.

A month is added when all that was asked of it is there, and always beside those that the folder holds: wherever a run
is killed, the folder has no gap, and the next run goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import chain, groupby
from zoneinfo import ZoneInfo

import polars as pl

from gogooku3.download.api import Api
from gogooku3.download.transport import Say
from gogooku3.errors import ConfigError, DataError
from gogooku3.sources.jquants.answers import KINDS, Kind
from gogooku3.sources.jquants.corrections import Correction, corrections
from gogooku3.sources.jquants.raw import RawFolder

Progress = Callable[[str, int, int], None]
"""Is told what is being done, how many sessions are done, and of how many."""


@dataclass(frozen=True)
class Added:
    """What a run added to a month."""

    month: str
    revision: int
    sessions: tuple[date, ...]
    """Those that the folder did not hold."""
    corrects: tuple[Correction, ...]


@dataclass(frozen=True)
class _Fetched:
    frames: dict[Kind, pl.DataFrame]
    sessions: list[date]


def today() -> date:
    """The day at the exchange; its bars are published in the afternoon."""
    return datetime.now(ZoneInfo("Asia/Tokyo")).date()


def download(
    raw: RawFolder, api: Api, first: date, last: date, *, again: bool, progress: Progress, say: Say
) -> Iterator[Added]:
    """Adds the sessions of a period that the folder lacks, and tells of each month that it added to.

    Args:
        first: first day of the period.
        last: its last day, inclusive; it ends before the first session that is not published yet.
        again: ask for the sessions that the folder holds too, and add those that have been corrected.

    Raises:
        ConfigError: between the period and what the folder holds, sessions would be left out.
        SourceError: J-Quants refuses, or does not answer.
        DataError: what it answers is not as documented, or a session that is over has no bars, listing or TOPIX.
    """
    last = min(last, today())
    if first > last:
        return
    months = _months(raw, _sessions(raw, api, first, last))
    asked = {month: [day for day in days if again or day not in raw.sessions(month)] for month, days in months.items()}
    place = {day: number for number, day in enumerate(chain.from_iterable(asked.values()))}
    for month, days in asked.items():
        if not days:
            continue
        fetched = _fetch(api, days, lambda day: progress(str(day), place[day], len(place)))
        if fetched.sessions and (added := _add(raw, month, fetched)):
            yield added
        if len(fetched.sessions) < len(days):
            say(f"{days[len(fetched.sessions)]} is not published yet")


def _sessions(raw: RawFolder, api: Api, first: date, last: date) -> list[date]:
    """The sessions of a period that leaves none out between itself and what the folder holds."""
    begin, end = first, last
    if raw.span is not None:
        begin, end = min(first, raw.span[1] + timedelta(days=1)), max(last, raw.span[0] - timedelta(days=1))
    days = api.sessions(begin, end)
    between = [day for day in days if not first <= day <= last]
    if between:
        raise ConfigError(
            f"{first} to {last} leaves out {len(between)} sessions, {between[0]} to {between[-1]}, beside what"
            f" `{raw.path}` holds",
            hint=f"`--from {between[0]}`" if between[0] < first else f"`--to {between[-1]}`",
        )
    return days


def _months(raw: RawFolder, sessions: Sequence[date]) -> dict[str, list[date]]:
    """Sessions by month, in the order in which the folder grows: back from what it holds, then on."""
    months = {month: list(days) for month, days in groupby(sessions, lambda day: f"{day:%Y-%m}")}
    earlier = [month for month in months if raw.span is not None and month <= f"{raw.span[0]:%Y-%m}"]
    return {month: months[month] for month in [*reversed(earlier), *list(months)[len(earlier) :]]}


def _fetch(api: Api, days: Sequence[date], begin: Callable[[date], None]) -> _Fetched:
    """All there is of some sessions of a month, up to the first that is not published yet."""
    topix = api.topix(days[0], days[-1])
    fetched: dict[Kind, list[pl.DataFrame]] = {kind: [] for kind in KINDS}
    published = []
    for day in days:
        begin(day)
        of_day: dict[Kind, pl.DataFrame] = {
            "bars": api.bars(day),
            "listed": api.listed(day),
            "topix": topix.filter(Date=day),
        }
        # On 2020-10-01 nothing could be traded, and there is no index.
        needed = KINDS if of_day["bars"]["C"].count() else ("bars", "listed")
        lacking = [kind for kind in needed if of_day[kind].is_empty()]
        if lacking and day < today():
            raise DataError(
                f"J-Quants has no {', '.join(lacking)} for {day}, which its calendar has as a session",
                hint="run it again later; where it stays so, ask J-Quants. Months that were fetched are kept",
            )
        if lacking:
            break
        published.append(day)
        for kind in KINDS:
            fetched[kind].append(of_day[kind])
    return _Fetched({kind: pl.concat(parts) for kind, parts in fetched.items() if parts}, published)


def _add(raw: RawFolder, month: str, fetched: _Fetched) -> Added | None:
    """Adds to a month what is new in it: sessions that it lacks, and those that are not as it holds them."""
    held = set(raw.sessions(month))
    new = [day for day in fetched.sessions if day not in held]
    known = [day for day in fetched.sessions if day in held]
    found: list[Correction] = []
    for kind in KINDS if known else ():
        before, now = (_of(known, frame) for frame in (raw.read(kind, month), fetched.frames[kind]))
        found += corrections(kind, before, now)
    sessions = {
        kind: sorted({*new, *(correction.session for correction in found if correction.kind == kind)}) for kind in KINDS
    }
    if not any(sessions.values()):
        return None
    frames = {kind: _of(days, fetched.frames[kind]) for kind, days in sessions.items()}
    raw.add(month, frames, sessions, found)
    return Added(month, len(raw.months[month]), tuple(new), tuple(found))


def _of(days: Sequence[date], rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("Date").is_in(list(days)))
