"""`gogooku3 doctor`: whether this machine and this clone are fit for work."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from gogooku3.cli.findings import table
from gogooku3.recovery.releases.git import toplevel


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(as_json: bool) -> None:
    """Check what this machine is fit for, and what it lacks.

    Git, Python and the libraries against what is asked for; whether the source that runs is this clone's; files that
    are executable here and not in Git; the default remote (9 seconds to answer) and the credentials for it; credentials
    that Git must not hold; room on the disk; the device that params.yaml names; whether this machine computes the bits
    that are known of its domain; locks and unfinished files that killed processes left; environment variables that look
    like old settings. Nothing is changed, and no secret is shown.

    \b
    Examples:
      gogooku3 doctor
      gogooku3 doctor --json

    Exit codes: 0 no check failed; 1 a check failed, each with its remedy; 8 this is not a clone.
    """
    from gogooku3.recovery.doctor.examination import examine

    root = toplevel(Path.cwd())
    checks = examine(root, sorted(os.environ))
    failed = [check.name for check in checks if check.finding.outcome == "failed"]
    if as_json:
        content = {"clone": str(root), "good": not failed, "checks": [check.as_json() for check in checks]}
        click.echo(json.dumps(content, indent=2, ensure_ascii=False))
    else:
        console = Console(highlight=False)
        console.print(table(str(root), checks))
        told = f"Not fit for work: {', '.join(failed)}." if failed else "Fit for work."
        console.print(Text(told, style="bold red" if failed else "green"))
    sys.exit(1 if failed else 0)
