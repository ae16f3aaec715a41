"""Downloads missing sessions into the raw folder, month by month; with `again`, also corrections of stored sessions.

A month is added when it is complete, and only next to the stored ones: if a run is killed, the folder has no gap, and
the next run resumes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import chain, groupby
from zoneinfo import ZoneInfo

import polars as pl

from gogooku3.download.api import Api
from gogooku3.download.transport import Notify
from gogooku3.errors import ConfigError, DataError
from gogooku3.sources.jquants.corrections import Correction, corrections
from gogooku3.sources.jquants.raw import RawFolder
from gogooku3.sources.jquants.responses import KINDS, Kind

Progress = Callable[[str, int, int], None]
"""Progress callback: description, completed sessions, total sessions."""


@dataclass(frozen=True)
class Added:
    """The revision that a download added to a month."""

    month: str
    revision: int
    sessions: tuple[date, ...]
    """New sessions."""
    corrects: tuple[Correction, ...]


@dataclass(frozen=True)
class _Fetched:
    frames: dict[Kind, pl.DataFrame]
    sessions: list[date]


def today() -> date:
    """The date at the exchange; its bars are published in the afternoon."""
    return datetime.now(ZoneInfo("Asia/Tokyo")).date()


def download(
    raw: RawFolder, api: Api, first: date, last: date, *, again: bool, progress: Progress, notify: Notify
) -> Iterator[Added]:
    """Downloads the missing sessions of a period; yields each month that it added to.

    Args:
        first: first day of the period.
        last: last day, inclusive; the download stops before the first session that is not published yet.
        again: also download stored sessions again, and add those that have been corrected.

    Raises:
        ConfigError: there would be a gap between the period and the stored sessions.
        SourceError: J-Quants denies a request, or does not respond.
        DataError: the response differs from the documentation, or a past session has no bars, listing or TOPIX.
    """
    last = min(last, today())
    if first > last:
        return
    months = _months(raw, _sessions(raw, api, first, last))
    wanted = {month: [day for day in days if again or day not in raw.sessions(month)] for month, days in months.items()}
    position = {day: number for number, day in enumerate(chain.from_iterable(wanted.values()))}
    for month, days in wanted.items():
        if not days:
            continue
        fetched = _fetch(api, days, lambda day: progress(str(day), position[day], len(position)))
        if fetched.sessions and (added := _add(raw, month, fetched)):
            yield added
        if len(fetched.sessions) < len(days):
            notify(f"{days[len(fetched.sessions)]} is not published yet")


def _sessions(raw: RawFolder, api: Api, first: date, last: date) -> list[date]:
    """The sessions of a period; raises `ConfigError` if there is a gap to the stored sessions."""
    begin, end = first, last
    if raw.span is not None:
        begin, end = min(first, raw.span[1] + timedelta(days=1)), max(last, raw.span[0] - timedelta(days=1))
    days = api.sessions(begin, end)
    gap = [day for day in days if not first <= day <= last]
    if gap:
        raise ConfigError(
            f"{first} to {last} leaves a gap of {len(gap)} sessions, {gap[0]} to {gap[-1]}, to the sessions in"
            f" `{raw.path}`",
            hint=f"use `--from {gap[0]}`" if gap[0] < first else f"use `--to {gap[-1]}`",
        )
    return days


def _months(raw: RawFolder, sessions: Sequence[date]) -> dict[str, list[date]]:
    """Sessions by month, in download order: earlier months backwards from the stored ones, then later months."""
    months = {month: list(days) for month, days in groupby(sessions, lambda day: f"{day:%Y-%m}")}
    earlier = [month for month in months if raw.span is not None and month <= f"{raw.span[0]:%Y-%m}"]
    return {month: months[month] for month in [*reversed(earlier), *list(months)[len(earlier) :]]}


def _fetch(api: Api, days: Sequence[date], begin: Callable[[date], None]) -> _Fetched:
    """Downloads sessions of a month, up to the first that is not published yet."""
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
        # On 2020-10-01 trading was halted all day, and there is no index.
        needed = KINDS if of_day["bars"]["C"].count() else ("bars", "listed")
        lacking = [kind for kind in needed if of_day[kind].is_empty()]
        if lacking and day < today():
            raise DataError(
                f"J-Quants has no {', '.join(lacking)} for {day}, which is a session in its calendar",
                hint="run it again later; if the error persists, ask J-Quants. Months that were fetched are kept",
            )
        if lacking:
            break
        published.append(day)
        for kind in KINDS:
            fetched[kind].append(of_day[kind])
    return _Fetched({kind: pl.concat(parts) for kind, parts in fetched.items() if parts}, published)


def _add(raw: RawFolder, month: str, fetched: _Fetched) -> Added | None:
    """Adds new and corrected sessions to a month; None if there are none."""
    stored = set(raw.sessions(month))
    new = [day for day in fetched.sessions if day not in stored]
    known = [day for day in fetched.sessions if day in stored]
    corrected: list[Correction] = []
    for kind in KINDS if known else ():
        before, now = (_of(known, frame) for frame in (raw.read(kind, month), fetched.frames[kind]))
        corrected += corrections(kind, before, now)
    sessions = {
        kind: sorted({*new, *(correction.session for correction in corrected if correction.kind == kind)})
        for kind in KINDS
    }
    if not any(sessions.values()):
        return None
    frames = {kind: _of(days, fetched.frames[kind]) for kind, days in sessions.items()}
    raw.add(month, frames, sessions, corrected)
    return Added(month, len(raw.months[month]), tuple(new), tuple(corrected))


def _of(days: Sequence[date], rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("Date").is_in(list(days)))
