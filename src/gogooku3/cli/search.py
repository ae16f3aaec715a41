"""`gogooku3 search`: hyperparameter search; each trial is a DVC experiment."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.box import SIMPLE
from rich.table import Column, Table
from rich.text import Text

from gogooku3 import paths, source
from gogooku3.cli.output import console, echo, echo_json
from gogooku3.errors import MachineError
from gogooku3.progress import progress_bar
from gogooku3.recovery.releases.git import toplevel

if TYPE_CHECKING:
    from gogooku3.config import Params
    from gogooku3.search.outcome import Outcome, Trial


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--trials", type=click.IntRange(min=1), help="Number of trials; by default from FILE.")
@click.option("--study", metavar="NAME", help="Name of the search and its experiments; by default the file's.")
@click.option("--json", "as_json", is_flag=True, help="Print the trials as JSON.")
def search(file: Path, trials: int | None, study: str | None, as_json: bool) -> None:
    """Search for better parameters, each trial an experiment.

    Hyperparameter search with Optuna. FILE (`conf/search/*.yaml`) lists parameters of `params.yaml` and the values to
    try, and the tiers that it is for. Each trial is a DVC experiment, NAME-0, NAME-1, …, based on the commit at HEAD,
    and runs in a clone that the search keeps. Another tier, and an invalid or impossible value, are errors before the
    first trial; a failed trial is reported with its reason, and the search continues. The best trial is chosen on
    validation. After an interruption, the same command resumes.

    \b
    Examples:
      gogooku3 search conf/search/demo.yaml
      gogooku3 search conf/search/demo.yaml --trials 20 --study rates

    Exit codes: 0 done; 1 no trial succeeded, uncommitted changes, or another process runs this search; 2 the file,
    a value or a combination is wrong, or the file is for another tier; 3 an experiment cannot be read; 4 Optuna, or a
    library of a stage, is not installed, a stage was killed, or another clone's source is installed; 7 the bucket
    cannot be reached; 8 Git failed; 9 J-Quants cannot be reached; 130 the search, or a stage of a trial, was stopped by
    a signal.
    """
    from gogooku3 import config
    from gogooku3.runtime import numerics
    from gogooku3.search.experiments import parameters
    from gogooku3.search.space import read

    space = read(file)
    root = toplevel(Path.cwd())
    source.require(root)
    # Optuna uses NumPy, which reads the pinned settings when it loads.
    committed = config.parse(parameters(root, "HEAD"))
    numerics.pin(committed.numerics)
    try:
        from gogooku3.search.search import search as run
    except ModuleNotFoundError as error:
        raise MachineError(
            f"`{error.name}`, which the search needs, is not installed",
            hint="`pip install -e '.[search]'`",
        ) from None

    from gogooku3 import preflight
    from gogooku3.preflight.market import read_dataset

    market = None if committed.quotes.source == "synthetic" else read_dataset(root / paths.DATASET)

    def check(params: Params) -> None:
        preflight.check(params, market if params.quotes == committed.quotes else None, machine=True)

    command = ["gogooku3", "search", str(file)]
    command += ["--study", study] if study else []
    command += ["--trials", str(trials)] if trials else []
    with progress_bar() as progress:
        outcome = run(
            root,
            space if trials is None else space.with_trials(trials),
            study or file.stem,
            again=shlex.join(command),
            preflight=check,
            progress=progress,
            say=lambda line: echo(line, err=True),
        )
    if as_json:
        echo_json(asdict(outcome))
    else:
        _print(outcome)
    sys.exit(0 if outcome.best else 1)


def _print(outcome: Outcome) -> None:
    printer = console()
    printer.print(_table(outcome))
    for trial in outcome.trials:
        if trial.reason:
            printer.print(Text(f"trial {trial.number} failed: {trial.reason}", "red"), soft_wrap=True)
    best = outcome.best
    if best is None:
        echo(f"no trial of {outcome.study} succeeded", fg="red", bold=True)
        return
    value = f", {outcome.objective} {best.value} on validation"
    printer.print(Text.assemble("best: ", (str(best.experiment), "bold"), value), soft_wrap=True)
    if outcome.alike:
        others = "another is" if outcome.alike == 1 else f"{outcome.alike} others are"
        echo(f"{others} in its interval: the choice among them may be chance")
    sharpe, rank_ic, overfitting, superior = (
        "undefined" if value is None else f"{value:.4f}"
        for value in (outcome.deflated_sharpe, outcome.deflated_rank_ic, outcome.overfitting, outcome.superior)
    )
    echo(
        f"chosen from {outcome.results} different results of {outcome.tier}; deflated Sharpe on validation {sharpe},"
        f" deflated mean RankIC {rank_ic}"
    )
    echo(
        f"probability of backtest overfitting {overfitting}; p-value that no trial beats the commit's own values"
        f" {superior}"
    )
    echo(f"apply it: dvc exp apply {best.experiment}, commit, gogooku3 promote {outcome.tier}")


def _table(outcome: Outcome) -> Table:
    names = [*outcome.trials[0].parameters]
    short = _shortened(names)
    table = Table(
        Column("trial", justify="right"),
        *(Column(short[name], justify="right", overflow="fold") for name in names),
        Column(f"{outcome.objective}\non validation", no_wrap=True),
        Column("experiment", overflow="fold"),
        title=Text(f"{outcome.study}, {outcome.tier} at commit {outcome.commit[:10]}"),
        title_justify="left",
        box=SIMPLE,
        pad_edge=False,
        collapse_padding=True,
    )
    for trial in outcome.trials:
        style = "bold green" if outcome.best is not None and trial.number == outcome.best.number else ""
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
    """Shortest unique suffixes of dotted keys, broken into short lines."""
    short = {}
    for name in names:
        parts = name.split(".")
        tails = [".".join(parts[-length:]) for length in range(1, len(parts) + 1)]
        suffix = next(
            tail for tail in tails if not any(other != name and f".{other}".endswith(f".{tail}") for other in names)
        )
        short[name] = suffix.replace(".", ".\n").replace("_", "_\n")
    return short
