"""The command line, `gogooku3 VERB`, one thin module per verb. Errors print a hint and set the exit code (`errors`).

A verb's module is imported lazily. It imports click, rich and light modules at its top, and heavy libraries (polars,
NumPy, torch, DVC) inside its function, so that help and shell completion are fast.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from gogooku3.cli.lazy_group import LazyGroup
from gogooku3.cli.output import echo, prepare, printable
from gogooku3.errors import UserError
from gogooku3.runtime.faults import OutOfMemoryError, end_process, print_error, reported
from gogooku3.runtime.interruption import defer, ignore, stoppable

SECTIONS = {
    "Data": {
        "init": "Set up a tier of your own bars.",
        "jquants": "Download bars, listings and TOPIX from J-Quants.",
        "dataset": "Compare datasets, or build a share of one.",
        "features": "List the features of a set with their definitions.",
    },
    "Train and evaluate": {
        "folds": "Show the walk-forward folds with their dates.",
        "summary": "Print the verdict of the last run and the next commands.",
        "search": "Search for better parameters, each trial an experiment.",
        "experiments": "Write docs/register.md: every experiment and what came out.",
        "runs": "Show the experiments of a tier: what differs, and what came out.",
        "diff": "Show the differences between two revisions.",
        "report": "Write a page that compares two models.",
    },
    "Score": {
        "score": "Score new bars with a released model.",
        "predict": "Score the stocks of a dataset with a packaged model.",
        "export": "Export predictions and returns for alphalens and quantstats.",
    },
    "Release": {
        "promote": "Release this commit's package as a version of its tier.",
        "tiers": "List the released versions of every tier with their metrics.",
        "leaderboard": "Write docs/leaderboard.md from the tags.",
    },
    "Check": {
        "doctor": "Check what this machine is fit for, and what is missing.",
        "verify": "Verify the integrity of a model package.",
        "audit": "Check that the bucket has every object, uncorrupted.",
        "drill": "Rehearse the recovery of releases in new environments.",
    },
    "Recover": {
        "recover": "Recover a released model from a Git URL and the bucket.",
        "reproduce": "Retrain a release and compare every output.",
        "archive": "Save a release as one file, and restore it from there.",
        "locate": "Find copies of an output or a release.",
    },
}
"""Verbs with their summaries, by task; listed here so that the help imports no verb."""


_AGAIN = "run the same command again; temporary files were removed"
"""What to do after a signal."""


class _Group(LazyGroup):
    """Prints a user's error as one message, without a traceback."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the command line of the process."""
        defer()  # arguments and command run in a context each, and a signal in between would end the process silently
        try:
            return super().__call__(*args, **kwargs)
        except (OutOfMemoryError, MemoryError) as error:
            print_error(error)
            end_process(OutOfMemoryError.exit_code)
        finally:
            ignore()  # a finished command says so, even if a signal arrives while the interpreter ends

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        prepare()
        with _one_message():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with _one_message():
            return super().invoke(ctx)


@contextmanager
def _one_message() -> Iterator[None]:
    """Context manager that prints a user's error, a fault or a signal as one message, and exits with its code."""
    try:
        with stoppable(_AGAIN), reported(), _printable_usage_errors():
            yield
    except OutOfMemoryError:
        raise  # printed by `__call__`, with as little memory as possible
    except UserError as error:
        if isinstance(error.__cause__, BrokenPipeError):  # the reader closed the pipe: click exits silently
            raise error.__cause__ from None
        # Continuation lines are indented: a message that quotes foreign text cannot pass for another line of output.
        message, hint = (text.replace("\n", "\n  ") for text in (error.message, error.hint))
        echo(f"error: {message}\nhint: {hint}", err=True)
        sys.exit(error.exit_code)


@contextmanager
def _printable_usage_errors() -> Iterator[None]:
    """Escapes the messages of click's own errors, which quote arguments."""
    try:
        yield
    except click.ClickException as error:
        error.message = printable(error.message)  # type: ignore[misc]
        raise


@click.group(
    cls=_Group,
    package=__name__,
    sections=SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Every verb has examples and its exit codes in its own help: `gogooku3 VERB -h`.",
)
@click.version_option(package_name="gogooku3")
def main() -> None:
    """Train, evaluate, release and recover models that rank Japanese equities.

    `dvc repro` trains, evaluates and packages the model that params.yaml describes; the verbs do the rest.

    \b
    Examples:
      gogooku3 doctor
      gogooku3 predict --output scores.csv
      gogooku3 recover tier1 --from https://example.com/team/gogooku3.git --to tier1
    """
