"""`gogooku3 VERB`, one module per verb: thin, no logic. Errors end with their code and a hint (`gogooku3.errors`).

A verb's module is imported when the verb is named. It imports click, rich and what is light at its top, and libraries
such as polars, NumPy, torch and DVC inside its function: help and shell completion do not wait for them.
"""

from __future__ import annotations

import errno
import sys
from typing import Any

import click

from gogooku3.cli.lazy_group import LazyGroup
from gogooku3.errors import UserError, filesystem_error

SECTIONS = {
    "Data": {
        "jquants": "Download bars, listings and TOPIX from J-Quants.",
        "dataset": "Compare datasets, or build a share of one.",
        "features": "List the features of a set with their definitions.",
    },
    "Train and evaluate": {
        "folds": "Show the walk-forward folds with their dates.",
        "summary": "Print the verdict of the last run and the next commands.",
        "search": "Search for better parameters, each trial an experiment.",
        "diff": "Show what differs between two revisions.",
        "report": "Write a page that compares two models.",
    },
    "Score": {
        "predict": "Score the stocks of a dataset with a packaged model.",
        "export": "Export predictions and returns for alphalens and quantstats.",
    },
    "Release": {
        "promote": "Release this commit's package as a version of its tier.",
        "tiers": "List the released versions of every tier with their metrics.",
        "leaderboard": "Write docs/leaderboard.md from the tags.",
    },
    "Check": {
        "doctor": "Check what this machine is fit for, and what it lacks.",
        "verify": "Verify that a package is the model that was delivered.",
        "audit": "Check that the bucket holds every object undamaged.",
        "drill": "Rehearse the recovery of releases in new environments.",
    },
    "Recover": {
        "recover": "Recover a released model from a Git URL and the bucket.",
        "reproduce": "Retrain a release and compare every output.",
        "archive": "Keep a release as one file, and restore it from there.",
        "locate": "Find out where an output or a release can be had.",
    },
}
"""Each verb with its summary, by task. Listed here and not taken from the verbs: the help would have to import them."""


class _Group(LazyGroup):
    """Prints what a user can cause as one message, never as a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UserError as error:
            user_error = error
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader closed the pipe: click exits silently
                raise
            user_error = filesystem_error(error)
        click.echo(f"error: {user_error}", err=True)
        sys.exit(user_error.exit_code)


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

    `dvc repro` trains, evaluates and packages what params.yaml says; the verbs do what comes before and after.

    \b
    Examples:
      gogooku3 doctor
      gogooku3 predict --output scores.csv
      gogooku3 recover tier1 --from https://example.com/team/gogooku3.git --to tier1
    """
