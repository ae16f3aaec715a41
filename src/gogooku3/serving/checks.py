"""Checks of an evening's bars and scores: what would make tomorrow's orders wrong is found before they are written."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl

from gogooku3.assembly.history import History
from gogooku3.config import Params
from gogooku3.config.quotes import FileQuotes
from gogooku3.errors import DataError, DivergenceError, abbreviate
from gogooku3.pages.words import count, percent
from gogooku3.serving.finding import Finding
from gogooku3.serving.scorer import Scored
from gogooku3.serving.state import Revisions

USUAL_SESSIONS = 20
"""Sessions before the evening whose median number of bars is the usual one."""
INCOMPLETE, TOO_FEW = 0.95, 0.80
"""Shares of the usual number of bars below which an evening is incomplete, and refused."""
JUMP = 0.4
"""Change of a close without a split factor that looks like a split: the smallest usual split is 3 for 2, −33 %; real
changes beyond 40 % in a session are rare (Tokyo's daily limits lie below it for most prices)."""


def model(difference: float, mismatch: str | None) -> Finding:
    """Whether this machine computes the package's own bits.

    Args:
        difference: largest difference to the golden predictions.
        mismatch: how the numerics probe differs from that of the package's domain; None if it does not.
    """
    if difference == 0 and mismatch is None:
        return Finding("model", "passed", "golden predictions bitwise reproduced")
    found = f"golden predictions differ by up to {difference:.3g}" if difference else str(mismatch)
    return Finding("model", "warning", found, "`gogooku3 verify PACKAGE` shows what differs on this machine")


def history(sessions: np.ndarray, params: Params) -> Finding:
    """Whether the bars reach back to the release's training: from their first session, graph dates are counted and
    prices adjusted."""
    start, first = params.dataset.split.train_from, sessions[0].item()
    if first <= start:
        return Finding("history", "passed", f"{len(sessions):,} sessions from {first}")
    return Finding(
        "history",
        "warning",
        f"the bars begin on {first}, after the release's training began on {start}: graph dates and adjustment count"
        " from there, so scores are not bitwise those of the release's own history",
        "give all bars since the first of the release",
    )


def freshness(last: date, evening: date, params: Params) -> Finding:
    """Whether the last session of the bars is the last one of the calendar.

    The calendar is Tokyo's for J-Quants and the synthetic market, and otherwise every weekday, of which one may be a
    holiday.
    """
    if last > evening:
        return Finding(
            "freshness",
            "failed",
            f"the bars run to {last}, and the evening is {evening}",
            "name the evening (`--date`), or remove bars of the future",
            DataError.exit_code,
        )
    weekdays = isinstance(params.quotes, FileQuotes)
    missing = _weekdays(last, evening) if weekdays else _tokyo_sessions(last, evening)
    calendar = "weekdays" if weekdays else "Tokyo's calendar"
    if not missing:
        return Finding("freshness", "passed", f"the bars run to {last}, the last session by {calendar}")
    tolerated = weekdays and len(missing) == 1
    return Finding(
        "freshness",
        "warning" if tolerated else "failed",
        f"the bars run to {last}; {count(len(missing), 'session')} by {calendar} until {evening}"
        f" {'is' if len(missing) == 1 else 'are'} missing: {abbreviate(missing)}",
        "a holiday, or bars that have not arrived yet" if tolerated else "get the newer bars, or accept the older ones",
        DataError.exit_code,
    )


def coverage(bars: History, split_end: date) -> Finding:
    """Whether the evening has as many bars as usual, and how much of the release's universe still trades.

    Args:
        split_end: the last session that the release was measured on.
    """
    sessions = bars.sessions
    recent = sessions[-USUAL_SESSIONS - 1 :]
    closed = bars.bars.filter(pl.col("Close").is_finite())
    counts = dict(closed.filter(pl.col("Date") >= recent[0].item()).group_by("Date").len().collect().iter_rows())
    now = counts[sessions[-1].item()]
    usual = float(np.median([counts[day.item()] for day in recent[:-1]] or [now]))
    universe = sessions[sessions <= np.datetime64(split_end)]
    still = ""
    if len(universe):
        days = [universe[-1].item(), sessions[-1].item()]
        known, here = (set(closed.filter(pl.col("Date") == day).select("Code").collect()["Code"]) for day in days)
        still = f"; {percent(len(known & here) / len(known))} of the {len(known):,} stocks of {days[0]} trade"
    share = now / usual if usual else 1.0
    found = f"{now:,} stocks have a bar on {sessions[-1]}, usually {usual:,.0f}{still}"
    if share >= INCOMPLETE:
        return Finding("coverage", "passed", found)
    hint = "the file may be incomplete: get the evening's bars again, or accept it"
    return Finding("coverage", "warning" if share >= TOO_FEW else "failed", found, hint, DataError.exit_code)


def revisions(found: Revisions | None) -> Finding:
    """What changed in bars that the last evening already had."""
    if found is None:
        return Finding("revisions", "noted", "the first evening: nothing to compare the bars with")
    parts = [
        f"{count(len(days), 'session')} {what}: {abbreviate(days)}"
        for days, what in (
            (found.changed, "with revised bars"),
            (found.late, "came late"),
            (found.removed, "of the last evening no longer there"),
        )
        if days
    ]
    if not parts:
        return Finding("revisions", "passed", f"all {found.compared:,} sessions of the last evening are unchanged")
    rows = found.bars.head(1000).to_dicts()
    values = [f"{row['Code']} {row['Date']} {row['column']} {row['before']} → {row['now']}" for row in rows]
    return Finding(
        "revisions",
        "warning",
        "; ".join(parts) + (f" ({abbreviate(values)})" if values else ""),
        "features of all sessions that read these bars were computed again; earlier scores were made from other bars",
        details=tuple({**row, "Date": str(row["Date"])} for row in rows),
    )


def listings(bars: History, since: date | None) -> Finding:
    """Stocks that have their first bar since the last evening, and those that had one then and have none now."""
    sessions = bars.sessions
    last, before = sessions[-1].item(), _evening_before(sessions, since)
    if before is None:
        return Finding("listings", "noted", "the first session: nothing to compare with")
    spans = (
        bars.bars.filter(pl.col("Close").is_finite())
        .group_by("Code")
        .agg(first=pl.col("Date").min(), last=pl.col("Date").max())
        .collect(engine="streaming")
        .sort("Code")
    )
    new = spans.filter(pl.col("first") > before)["Code"].to_list()
    gone = spans.filter((pl.col("last") >= before) & (pl.col("last") < last))["Code"].to_list()
    ended = dict(bars.listed.select("Code", "ListedTo").drop_nulls().iter_rows())
    delisted = [code for code in gone if code in ended and ended[code] <= last]
    absent = [code for code in gone if code not in delisted]
    parts = [
        f"{count(len(codes), 'stock')} {what}: {abbreviate(codes)}"
        for codes, what in ((new, "newly listed"), (delisted, "delisted"), (absent, "without a bar"))
        if codes
    ]
    if not parts:
        return Finding("listings", "passed", f"the same stocks as on {before}")
    kinds = {"new": new, "delisted": delisted, "absent": absent}
    details = tuple({"change": kind, "code": code} for kind, codes in kinds.items() for code in codes)
    return Finding("listings", "noted", f"since {before}: {'; '.join(parts)}", details=details)


def splits(bars: History, since: date | None) -> Finding:
    """Splits since the last evening, and price jumps that look like a split without an adjustment factor."""
    sessions = bars.sessions
    before = _evening_before(sessions, since)
    if before is None:
        return Finding("splits", "noted", "the first session: nothing to compare with")
    recent = bars.bars.filter(pl.col("Date") >= before, pl.col("Close").is_finite()).collect().sort("Date", "Code")
    steps = recent.with_columns(
        change=pl.col("Close") / pl.col("AdjustmentFactor") / pl.col("Close").shift().over("Code") - 1
    ).filter(pl.col("Date") > before)
    split = steps.filter(pl.col("AdjustmentFactor") != 1.0)
    jumps = steps.filter(pl.col("AdjustmentFactor") == 1.0, pl.col("change").abs() > JUMP)
    known = [f"{row['Code']} × {row['AdjustmentFactor']:g} on {row['Date']}" for row in split.to_dicts()]
    jumped = [f"{row['Code']} {row['change']:+.0%} on {row['Date']}" for row in jumps.to_dicts()]
    details = tuple(
        {"code": row["Code"], "date": str(row["Date"]), "factor": row["AdjustmentFactor"], "change": row["change"]}
        for row in [*split.to_dicts(), *jumps.to_dicts()]
    )
    if jumped:
        return Finding(
            "splits",
            "warning",
            f"{count(len(jumped), 'close')} changed by more than {percent(JUMP)} without a split factor:"
            f" {abbreviate(jumped)}" + (f"; splits: {abbreviate(known)}" if known else ""),
            "compare with the exchange's corporate actions: a split without its factor falsifies every feature",
            details=details,
        )
    if known:
        return Finding("splits", "noted", f"{count(len(known), 'split')}: {abbreviate(known)}", details=details)
    return Finding("splits", "passed", f"no split since {before}")


def scores(scored: Scored) -> Finding:
    """Every bar has a finite score, and they are not all equal."""
    panel, values_SH = scored.panel, scored.scores_TSH[-1]
    present_S = panel.present_TS[-1]
    wrong = int((~np.isfinite(values_SH[present_S])).any(axis=1).sum())
    if wrong:
        return Finding(
            "scores",
            "failed",
            f"{wrong} of {present_S.sum()} stocks have a score that is not finite",
            "look for impossible prices or volumes in the newest bars",
            DivergenceError.exit_code,
        )
    flat = [h for h, value_S in zip(panel.horizons, values_SH[present_S].T, strict=True) if np.ptp(value_S) == 0]
    if flat:
        return Finding(
            "scores",
            "failed",
            f"all stocks have the same score for horizon {abbreviate(flat)}",
            "the newest bars lack what the features need: look at `coverage` and `drift`",
            DivergenceError.exit_code,
        )
    return Finding("scores", "passed", f"{present_S.sum():,} stocks scored on {panel.sessions[-1]}")


def _evening_before(sessions: np.ndarray, since: date | None) -> date | None:
    """The session of the last evening; without one, the session before the last."""
    if since is not None:
        earlier = sessions[sessions <= np.datetime64(since)]
        return min(earlier[-1].item(), sessions[-2].item()) if len(earlier) and len(sessions) > 1 else None
    return sessions[-2].item() if len(sessions) > 1 else None


def _weekdays(last: date, evening: date) -> list[date]:
    """Weekdays after a session until an evening, its own included."""
    days = (last + timedelta(days) for days in range(1, (evening - last).days + 1))
    return [day for day in days if day.weekday() < 5]


def _tokyo_sessions(last: date, evening: date) -> Sequence[date]:
    """Sessions of the Tokyo exchange after a session until an evening, its own included."""
    if last == evening:
        return []
    import exchange_calendars  # imported late: pandas takes a second
    from exchange_calendars.errors import NoSessionsError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # exchange_calendars calls deprecated functions of pandas
        try:
            exchange = exchange_calendars.get_calendar("XTKS", start=str(last), end=str(evening))
        except NoSessionsError:
            return []
        except ValueError:  # outside of the years that the calendar knows
            return _weekdays(last, evening)
    return [day.date() for day in exchange.sessions if day.date() > last]
