"""`gogooku3 search`: better parameters, each tried as an experiment."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from gogooku3 import source
from gogooku3.errors import MachineError
from gogooku3.progress import progress_bar
from gogooku3.recovery.releases.git import toplevel

if TYPE_CHECKING:
    from gogooku3.search.outcome import Outcome, Trial


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--trials", type=click.IntRange(min=1), help="How many trials; by default the file's number.")
@click.option("--study", metavar="NAME", help="Name of the search and its experiments; by default the file's.")
@click.option("--json", "as_json", is_flag=True, help="Print the trials as JSON.")
def search(file: Path, trials: int | None, study: str | None, as_json: bool) -> None:
    """Search for better parameters, each trial an experiment.

    FILE (`conf/search/*.yaml`) names parameters of `params.yaml` and the values to try. Optuna proposes; each trial is
    a DVC experiment, NAME-0, NAME-1, …, based on the commit at HEAD, and runs in a clone that the search keeps. A value
    that the schema refuses ends the search before it begins; a trial that fails is reported with its reason, and the
    next one begins. The best trial is chosen on validation. After an interruption, the same command resumes.

    \b
    Examples:
      gogooku3 search conf/search/demo.yaml
      gogooku3 search conf/search/demo.yaml --trials 20 --study rates

    Exit codes: 0 done; 1 no trial gave a result, uncommitted changes, or another process runs this search; 2 the file,
    a value or a combination is wrong; 3 an experiment cannot be read; 4 Optuna, or what a stage needs, is not
    installed, a stage was killed, or another clone's source is installed; 7 the bucket cannot be reached; 8 Git failed;
    9 J-Quants cannot be reached; 130 the search, or a stage of a trial, was stopped by Ctrl-C or SIGTERM.
    """
    from gogooku3 import config
    from gogooku3.runtime import numerics
    from gogooku3.search.experiments import parameters
    from gogooku3.search.space import read

    space = read(file)
    root = toplevel(Path.cwd())
    source.require(root)
    # What proposes computes with NumPy, which reads the pinned settings when it loads.
    numerics.pin(config.parse(parameters(root, "HEAD")).numerics)
    try:
        from gogooku3.search.search import search as run
    except ModuleNotFoundError as error:
        raise MachineError(
            f"`{error.name}`, with which values are proposed, is not installed",
            hint="`pip install -e '.[search]'` brings it",
        ) from None

    again = ["gogooku3", "search", str(file)]
    again += ["--study", study] if study else []
    again += ["--trials", str(trials)] if trials else []
    with progress_bar() as progress:
        found = run(
            root,
            space if trials is None else space.with_trials(trials),
            study or file.stem,
            again=shlex.join(again),
            progress=progress,
            say=lambda line: click.echo(line, err=True),
        )
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2, ensure_ascii=False))
    else:
        _print(found)
    sys.exit(0 if found.best else 1)


def _print(found: Outcome) -> None:
    console = Console(highlight=False)
    console.print(_table(found))
    for trial in found.trials:
        if trial.reason:
            console.print(Text(f"trial {trial.number} failed: {trial.reason}", "red"), soft_wrap=True)
    best = found.best
    if best is None:
        click.secho(f"no trial of {found.study} gave a result", fg="red", bold=True)
        return
    console.print(f"best: [bold]{best.experiment}[/bold], {found.objective} {best.value} on validation", soft_wrap=True)
    if found.alike:
        others = "another lies" if found.alike == 1 else f"{found.alike} others lie"
        click.echo(f"{others} in its interval: chance alone could have chosen it among them")
    deflated = "undefined" if found.deflated_sharpe is None else f"{found.deflated_sharpe:.4f}"
    click.echo(
        f"chosen from {found.results} different results of {found.tier}; deflated Sharpe on validation {deflated}"
    )
    click.echo(f"take it: dvc exp apply {best.experiment}, commit, gogooku3 promote {found.tier}")


def _table(found: Outcome) -> Table:
    names = [*found.trials[0].parameters]
    short = _shortened(names)
    table = Table(
        Column("trial", justify="right"),
        *(Column(short[name], justify="right", overflow="fold") for name in names),
        Column(f"{found.objective}\non validation", no_wrap=True),
        Column("experiment", overflow="fold"),
        title=Text(f"{found.study}, {found.tier} at commit {found.commit[:10]}"),
        title_justify="left",
        box=SIMPLE,
        pad_edge=False,
        collapse_padding=True,
    )
    for trial in found.trials:
        style = "bold green" if found.best is not None and trial.number == found.best.number else ""
        cells = [_format(trial.parameters[name]) for name in names]
        table.add_row(str(trial.number), *cells, _result(trial), trial.experiment or "", style=style)
    return table


def _result(trial: Trial) -> Text:
    if trial.state == "failed":
        return Text("failed", "red")
    return Text(f"{trial.value}{' (removed)' if trial.state == 'removed' else ''}")


def _format(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else json.dumps(value).strip('"')


def _shortened(names: list[str]) -> dict[str, str]:
    """Dotted keys, by as many of their last parts as tell them apart, in short lines."""
    short = {}
    for name in names:
        parts = name.split(".")
        tails = [".".join(parts[-length:]) for length in range(1, len(parts) + 1)]
        own = next(
            tail for tail in tails if not any(other != name and f".{other}".endswith(f".{tail}") for other in names)
        )
        short[name] = own.replace(".", ".\n").replace("_", "_\n")
    return short
