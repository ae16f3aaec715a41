"""`gogooku3 summary`: verdict of the last run, and the next commands."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import asdict
from pathlib import Path

import click

from gogooku3 import source
from gogooku3.cli.output import echo, echo_json
from gogooku3.recovery.releases.git import toplevel


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def summary(as_json: bool) -> None:
    """Print the verdict of the last run and the next commands.

    The verdict is the one of `reports/tier.html`. Parameters and results must match `dvc.lock`: a mixture of two
    runs is an error. `dvc status` shows whether the code has changed since.

    \b
    Examples:
      gogooku3 summary
      gogooku3 summary --json

    Exit codes: 0 printed, whatever the verdict; 2 the parameters are wrong; 3 there was no run, or an output of it is
    missing; 4 another clone's source is installed; 5 parameters or results are not those of the last run.
    """
    from gogooku3.summary import summarize

    root = toplevel(Path.cwd())
    source.require(root)
    run = summarize(root)
    if as_json:
        echo_json(asdict(run))
        return
    lines = {"page": run.page, "package": run.package}
    if (script := _activation()) is not None:
        lines["activate"] = f". {shlex.quote(str(script))}"
    lines["predict"] = f"gogooku3 predict {run.package} --output scores.csv --from {run.test_from}"
    echo(f"{run.tier}: {run.verdict}\n")
    echo(f"{click.wrap_text(run.figures, width=100)}\n")
    for name, text in lines.items():
        echo(f"{name:<10}{text}")


def _activation() -> Path | None:
    """The activation script of this virtual environment; None if it is active or has no script."""
    environment = Path(sys.prefix)
    script = environment / "bin/activate"
    if os.environ.get("VIRTUAL_ENV") == sys.prefix or not script.is_file():
        return None
    return script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script
