"""`gogooku3 doctor`: health checks of this machine and this clone."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from textwrap import shorten

import click
from rich.text import Text

from gogooku3.cli.findings import table
from gogooku3.cli.output import console, echo_json
from gogooku3.recovery.doctor.tasks import TASKS, WITHOUT_BUCKET, Examination, Fitness, Task
from gogooku3.recovery.releases.git import toplevel

_MAX_REASON = 90
"""Characters of a reason in the summary lines; the table has the full text."""


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
    """Check what this machine is fit for, and what is missing.

    One line per task shows whether it can run here, and if not, why:

    \b
      train    `dvc repro`, experiments, search
      predict  score a dataset with a package
      release  `promote`: needs the bucket (write access is not tested)
      recover  restore a release from the bucket (an archive needs none)

    The checks: versions of Git, Python and the libraries; whether the installed source is this clone's; file modes that
    differ from Git; the default remote (timeout 9 seconds) and its credentials; secrets in Git; whether other users can
    write to DVC's site cache; free disk space; the device of params.yaml; the numerics probe (bitwise
    reproducibility); stale locks and partial files of killed processes; whether DVC gets the best version of each tier;
    environment variables that look like old settings. Nothing is changed, and no secret is shown.

    \b
    Examples:
      gogooku3 doctor
      gogooku3 doctor --for release --for recover --json

    Exit codes: 0 fit to train and to predict, even if other checks failed, or with --for: fit for all tasks given; 1
    not fit, each failed check with its remedy; 8 not in a clone.
    """
    from gogooku3.recovery.doctor.examination import examine

    root = toplevel(Path.cwd())
    examination = examine(root, sorted(os.environ))
    fit = examination.fit_for(*tasks)
    if as_json:
        content = {
            "clone": str(root),
            "good": fit,
            "tasks": [fitness.as_json() for fitness in examination.fitness],
            "checks": [check.as_json() for check in examination.checks],
        }
        echo_json(content)
    else:
        _print(root, examination)
    sys.exit(0 if fit else 1)


def _print(root: Path, examination: Examination) -> None:
    printer = console()
    printer.print(table(str(root), examination.checks))
    for fitness in examination.fitness:
        printer.print(_line(fitness), soft_wrap=True)


def _line(fitness: Fitness) -> Text:
    """A task with `yes`, or `no` and the failed checks."""
    line = Text(f"fit to {fitness.task + ':':<9}")
    if fitness.fit:
        return line.append("yes", style="green")
    reasons = (
        f"{check.name}: {shorten(check.finding.found, _MAX_REASON, placeholder=' …')}" for check in fitness.failed
    )
    return line.append("no", style="bold red").append(f" ({'; '.join(reasons)})")
