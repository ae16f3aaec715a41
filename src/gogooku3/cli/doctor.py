"""`gogooku3 doctor`: what this machine and this clone are fit for, and what they lack."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from textwrap import shorten

import click
from rich.console import Console
from rich.text import Text

from gogooku3.cli.findings import table
from gogooku3.recovery.doctor.tasks import TASKS, WITHOUT_BUCKET, Examination, Fitness, Task
from gogooku3.recovery.releases.git import toplevel

_LONGEST = 90
"""Characters of a reason in a line; the table has all of it."""


@click.command()
@click.option(
    "--for",
    "tasks",
    type=click.Choice(TASKS),
    multiple=True,
    default=WITHOUT_BUCKET,
    show_default=True,
    help="The task that decides the exit code. Repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(tasks: tuple[Task, ...], as_json: bool) -> None:
    """Check what this machine is fit for, and what it lacks.

    One line for each task says whether it can be done here, and if not, why:

    \b
      train    `dvc repro`, experiments, search
      predict  score a dataset with a package
      release  `promote`: needs the bucket (write access is not tested)
      recover  get a release back from the bucket (an archive needs none)

    The checks behind them: Git, Python and the libraries against the required versions; whether the source that runs is
    this clone's; files that are executable here and not in Git; the default remote (9 seconds to answer) and its
    credentials; credentials that Git must not hold; disk space; the device that params.yaml names; whether this machine
    computes the known bits of its domain; locks and unfinished files of killed processes; environment variables that
    look like old settings. Nothing is changed, and no secret is shown.

    \b
    Examples:
      gogooku3 doctor
      gogooku3 doctor --for release --for recover --json

    Exit codes: 0 fit to train and to predict, whatever else failed, or with --for: fit for all tasks that it names; 1
    not fit, each failed check with its remedy; 8 this is not a clone.
    """
    from gogooku3.recovery.doctor.examination import examine

    root = toplevel(Path.cwd())
    found = examine(root, sorted(os.environ))
    fit = found.fit_for(*tasks)
    if as_json:
        content = {
            "clone": str(root),
            "good": fit,
            "tasks": [each.as_json() for each in found.fitness],
            "checks": [check.as_json() for check in found.checks],
        }
        click.echo(json.dumps(content, indent=2, ensure_ascii=False))
    else:
        _print(root, found)
    sys.exit(0 if fit else 1)


def _print(root: Path, found: Examination) -> None:
    console = Console(highlight=False)
    console.print(table(str(root), found.checks))
    for each in found.fitness:
        console.print(_line(each), soft_wrap=True)


def _line(fitness: Fitness) -> Text:
    """A task, and `yes`, or the checks that failed with what they found."""
    line = Text(f"fit to {fitness.task + ':':<9}")
    if fitness.fit:
        return line.append("yes", style="green")
    reasons = (f"{check.name}: {shorten(check.finding.found, _LONGEST, placeholder=' …')}" for check in fitness.failed)
    return line.append("no", style="bold red").append(f" ({'; '.join(reasons)})")
