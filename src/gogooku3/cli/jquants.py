"""`gogooku3 jquants download | list`: the raw folder of J-Quants' bars, listings and TOPIX."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Column, Table
from rich.text import Text

from gogooku3 import paths
from gogooku3.cli.clone_options import in_project
from gogooku3.cli.output import console, echo, echo_json
from gogooku3.progress import progress_bar

if TYPE_CHECKING:
    from gogooku3.download.download import Added
    from gogooku3.sources.jquants.raw import RawFolder

_DAY = click.DateTime(["%Y-%m-%d"])
_folder = click.argument("folder", type=click.Path(path_type=Path), default=in_project(paths.RAW_JQUANTS))
_as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


@click.group()
def jquants() -> None:
    """Download bars, listings and TOPIX from J-Quants.

    \b
    Examples:
      gogooku3 jquants download --from 2020-09-06 --to 2025-09-06
      gogooku3 jquants list
    """


@jquants.command()
@_folder
@click.option(
    "--from",
    "first",
    type=_DAY,
    metavar="YYYY-MM-DD",
    help="First day; by default the one after the last session in FOLDER.",
)
@click.option("--to", "last", type=_DAY, metavar="YYYY-MM-DD", help="Last day, inclusive; by default today.")
@click.option("--again", is_flag=True, help="Download existing sessions again, and add corrections.")
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="Requests per minute: the plans allow 60 (Light), 120 (Standard), 500 (Premium).",
)
@click.option(
    "--url",
    "address",
    default="https://api.jquants.com/v2",
    show_default=True,
    envvar="JQUANTS_API_URL",
    show_envvar=True,
    help="Address of the API.",
)
@_as_json
def download(
    folder: Path, first: datetime | None, last: datetime | None, again: bool, rate: float, address: str, as_json: bool
) -> None:
    """Download the missing sessions of FOLDER, month by month.

    FOLDER is data/raw/jquants by default. Existing files are never changed: new sessions and corrections by the
    exchange become a new revision of their month. After an interruption, the same command resumes with the unfinished
    month. While one download writes to FOLDER, another one is refused. The API key comes from `JQUANTS_API_KEY`, or
    from the official client's own file, `~/.jquants-api/jquants-api.toml`; it is not written anywhere.

    \b
    Examples:
      gogooku3 jquants download --from 2020-09-06 --to 2025-09-06 --rate 120
      gogooku3 jquants download --again --from 2025-08-01

    Exit codes: 0 all published sessions are downloaded; 1 another download to FOLDER is running; 2 no first day is
    given, or there would be a gap; 3 a response is not as documented, a session has no data, or FOLDER is damaged; 4
    the client is not installed, or a disk is full; 9 J-Quants cannot be reached, or returns an error.
    """
    from gogooku3.download.api import connect
    from gogooku3.download.download import download as run
    from gogooku3.download.download import today
    from gogooku3.sources.jquants.raw import RawFolder

    if first and last and first > last:
        raise click.UsageError("--from is after --to")
    added: list[Added] = []
    with RawFolder.writer(folder) as raw, progress_bar() as progress:
        begin, end = _begin(raw, first, again), last.date() if last else today()
        api = connect(address, rate, _print_stderr)
        for month in run(raw, api, begin, end, again=again, progress=progress, notify=_print_stderr):
            added.append(month)
            if not as_json:
                _print_added(month)
    if as_json:
        echo_json([asdict(month) for month in added], default=str)
    else:
        _print_end(raw, added)


@jquants.command("list")
@_folder
@_as_json
def list_(folder: Path, as_json: bool) -> None:
    """Show the months of FOLDER, with revisions and corrections.

    FOLDER is data/raw/jquants by default.

    \b
    Examples:
      gogooku3 jquants list
      gogooku3 jquants list data/raw/jquants --json

    Exit codes: 0 listed, even if empty; 3 FOLDER is not a raw folder.
    """
    from gogooku3.sources.jquants.raw import RawFolder

    raw = RawFolder(folder)
    rows = [_month(raw, month) for month in raw.months]
    if as_json:
        echo_json(rows)
        return
    table = Table("month", *(Column(name, justify="right") for name in ("sessions", "revisions")), "corrections")
    for row in rows:
        corrected = Text("\n".join(row["corrections"]))
        table.add_row(row["month"], str(row["sessions"]), str(row["revisions"]), corrected)
    console().print(table)
    _print_total(raw)


def _begin(raw: RawFolder, first: datetime | None, again: bool) -> date:
    if first is not None:
        return first.date()
    if again or raw.span is None:
        raise click.UsageError(f"set the first day to download{' again' if again else ''} with --from")
    return raw.span[1] + timedelta(days=1)


def _month(raw: RawFolder, month: str) -> dict[str, Any]:
    revisions = raw.months[month]
    return {
        "month": month,
        "sessions": len(raw.sessions(month)),
        "revisions": len(revisions),
        "corrections": [str(correction) for revision in revisions for correction in revision.corrects],
    }


def _print_added(added: Added) -> None:
    change = f"{len(added.sessions)} sessions" if added.sessions else "corrected"
    echo(f"{added.month}, revision {added.revision}: {change}")
    for correction in added.corrects:
        echo(f"  corrected: {correction}")


def _print_end(raw: RawFolder, added: list[Added]) -> None:
    _print_total(raw)
    echo(f"track it: dvc add {raw.path}" if added else "nothing new")


def _print_total(raw: RawFolder) -> None:
    sessions = [day for month in raw.months for day in raw.sessions(month)]
    span = f", {sessions[0]} to {sessions[-1]}" if sessions else ""
    echo(f"{raw.path}: {len(sessions):,} sessions{span}")


def _print_stderr(message: str) -> None:
    echo(message, err=True)
