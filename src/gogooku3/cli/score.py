"""`gogooku3 score`: scores new bars with a released model, outside of the pipeline."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Column, Table
from rich.text import Text

from gogooku3.cli.clone_options import clone_options, settings_option, trusted_keys_option
from gogooku3.cli.output import console, echo, echo_json

if TYPE_CHECKING:
    from gogooku3.serving.evening import Evening
    from gogooku3.serving.release import Release, Wanted

_DAY = click.DateTime(["%Y-%m-%d"])
_PATH = click.Path(path_type=Path)
_STYLES = {"passed": "green", "noted": "dim", "warning": "yellow", "failed": "bold red"}
_CHECKS = ("freshness", "coverage", "scores", "drift")
"""The checks that can fail."""


@click.command()
@click.argument("name", metavar="RELEASE|PACKAGE")
@click.option("--bars", required=True, type=_PATH, help="All bars: a .parquet or .csv file, or a folder of quotes.")
@click.option("--listed", type=_PATH, help="Sectors and segments, if BARS is a file without them.")
@click.option("--index", type=_PATH, help="Levels of the market index, if BARS is a file and the model had an index.")
@click.option("--joined", type=_PATH, help="Folder of the joined tables, if the model has some.")
@click.option("--output", type=_PATH, help="File to write: .parquet or .csv; NAME.json beside it.")
@click.option("--evaluate", is_flag=True, help="Score nothing: compare past evenings with what came (live RankIC).")
@click.option("--html", type=_PATH, metavar="FILE", help="Write a page of the evening too.")
@click.option("--from", "first", type=_DAY, metavar="YYYY-MM-DD", help="First session; by default the last one alone.")
@click.option("--date", "evening", type=_DAY, metavar="YYYY-MM-DD", help="The evening; by default today.")
@click.option("--accept", multiple=True, type=click.Choice(_CHECKS), help="Write scores although it fails. Repeatable.")
@click.option("--strict", is_flag=True, help="A warning fails too (exit code 1).")
@click.option("--state", type=_PATH, help="Folder that evenings keep; by default in ~/.local/state/gogooku3.")
@click.option("--repo", "url", metavar="URL", help="The Git repository of RELEASE; by default the current one.")
@click.option("--params", type=_PATH, help="The params.yaml of a PACKAGE that no repository records.")
@settings_option
@trusted_keys_option
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def score(
    name: str,
    bars: Path,
    listed: Path | None,
    index: Path | None,
    joined: Path | None,
    output: Path | None,
    evaluate: bool,
    html: Path | None,
    first: datetime | None,
    evening: datetime | None,
    accept: tuple[str, ...],
    strict: bool,
    state: Path | None,
    url: str | None,
    params: Path | None,
    settings: Path | None,
    trusted_keys: Path | None,
    as_json: bool,
) -> None:
    """Score new bars with a released model.

    For tomorrow's orders: checks the bars of the evening, scores the last session with RELEASE (TIER@VERSION, or TIER
    for its best version, fetched and verified once) or with a PACKAGE folder, and writes scores and the target weights
    of the release's portfolio. The scores are bitwise those of a dataset that is built from all of BARS. The features
    of the last sessions are kept for the next evening. Nothing is written into a clone.

    With --evaluate it prints the RankIC of past evenings, whose scores the state folder has, beside the interval of the
    release on its test split.

    \b
    Examples:
      gogooku3 score models/package --bars data/quotes --output scores.csv --date 2023-12-29
      gogooku3 score tier1@v1.0.0 --repo URL --bars bars.parquet --output scores.parquet --html evening.html
      gogooku3 score models/package --bars data/quotes --evaluate

    Exit codes: 0 written; 1 `drift` failed, a warning with --strict, or another process scores with this state; 2 an
    argument or parameter is wrong; 3 `freshness` or `coverage` failed, or bars, package or release are missing or
    invalid; 4 this machine cannot compute it; 5 the package does not verify, or needs other features; 6 `scores`
    failed; 7 the bucket cannot be reached; 8 Git failed. If a check fails, no scores are written; the page is,
    and an older file stays.
    """
    if (output is None) != evaluate:
        raise click.UsageError("name the file to write with --output, or --evaluate past evenings")
    if output is not None and output.suffix not in (".parquet", ".csv"):
        raise click.BadParameter(f"`{output}` is neither .parquet nor .csv", param_hint="--output")
    from gogooku3.serving.release import Wanted, in_own_process, state_folder

    wanted = Wanted(name, url, settings, trusted_keys, params=params)
    if not Path(name).is_dir():
        wanted = _with_repository(wanted)
    release = in_own_process(wanted)
    # The imported libraries read the pinned settings when they load.
    from gogooku3.package.environment import read_numerics
    from gogooku3.runtime import numerics

    numerics.pin(read_numerics(release.package))
    if output is None:
        _evaluate(release, (bars, listed, index), state or state_folder(), as_json)
        return
    from gogooku3.serving import output as written
    from gogooku3.serving import page
    from gogooku3.serving.bars import BarFiles
    from gogooku3.serving.evening import run

    done, kept, history, hashes = run(
        release,
        BarFiles(bars, listed, index, joined),
        state or state_folder(),
        evening.date() if evening else date.today(),
        first and first.date(),
        accept,
    )
    code = _exit_code(done, strict)
    document = None
    if code == 0:
        document = written.write(done, output)
        kept.write(history, hashes, done.frame.drop("weight"))
    if html is not None:
        page.write(done, html)
    if as_json:
        echo_json(
            {"release": release.name, "written": code == 0, "findings": [each.as_json() for each in done.findings]}
        )
    else:
        _print(done, output if document else None, html)
    sys.exit(code)


def _evaluate(release: Release, places: tuple[Path, Path | None, Path | None], root: Path, as_json: bool) -> None:
    """Prints the live RankIC of past evenings beside the interval of the release."""
    from gogooku3.pages.words import decimal
    from gogooku3.serving.bars import BarFiles, read
    from gogooku3.serving.state import State
    from gogooku3.serving.track import track

    assert release.params is not None
    params, package = release.params, release.package
    history = read(BarFiles(*places), params.quotes, date.max)
    scores = State(root, release.name, package, params).scores
    found = track(scores, history, package, params.dataset.horizons)
    if as_json:
        echo_json([asdict(each) | {"verdict": each.verdict} for each in found])
        return

    def cell(estimate: dict[str, float | None]) -> str:
        value, low, high = (decimal(estimate[name]) for name in ("value", "low", "high"))
        return f"{value} [{low}, {high}]"

    table = Table("horizon", "evenings", "live RankIC", "promised", "verdict", title=Text(release.name))
    for each in found:
        table.add_row(str(each.horizon), str(each.sessions), cell(each.live), cell(each.promised), each.verdict)
    console().print(table)


def _with_repository(wanted: Wanted) -> Wanted:
    """Fills in the current repository, its settings and its caches."""
    options = clone_options(wanted.url, wanted.settings)
    return replace(wanted, url=options.url, settings=options.settings, also=options.caches)


def _exit_code(done: Evening, strict: bool) -> int:
    if done.refused:
        return done.refused[0].exit_code
    return 1 if strict and any(finding.level == "warning" for finding in done.findings) else 0


def _print(done: Evening, output: Path | None, html: Path | None) -> None:
    session = str(done.scored.panel.sessions[-1])
    table = Table("check", "level", Column("found", overflow="fold"), title=Text(f"{done.release.name}, {session}"))
    for finding in done.findings:
        found = Text(finding.found)
        if finding.hint and finding.level in ("warning", "failed"):
            found.append(f"\nhint: {finding.hint}", style="dim")
        table.add_row(finding.name, Text(finding.level, style=_STYLES[finding.level]), found)
    console().print(table)
    if output is not None:
        echo(f"{len(done.frame):,} scores and weights written to {output}")
    else:
        names = ", ".join(finding.name for finding in done.refused) or "a warning"
        echo(f"nothing written: {names}", fg="red", bold=True)
    if html is not None:
        echo(f"page written to {html}")
